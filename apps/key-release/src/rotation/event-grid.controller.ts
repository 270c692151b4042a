import { SiegelError } from '#contracts';
import type { VaultRegistry } from '#vault';
import {
  Body,
  Controller,
  Headers,
  HttpCode,
  Inject,
  Logger,
  Options,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Signers } from '../signing/signers.js';
import { VAULTS } from '../vaults/vaults.token.js';
import { readEventGrid, type VaultNotification } from './event-grid-events.js';
import { HookGuard } from './hook.guard.js';
import { RotationWatch } from './rotation-watch.js';

/** Ids of events that were taken; Event Grid delivers at least once, and again for a day. */
const REMEMBERED = 10_000;
const ORIGIN = /^[A-Za-z0-9.-]{1,253}$/;

/** Notifications of Key Vault. They are hints: the vault is read, and only what it says counts. */
@ApiTags('hooks')
@UseGuards(HookGuard)
@Controller('v1/hooks/event-grid')
export class EventGridController {
  private readonly log = new Logger('event-grid');
  private readonly seen = new LRUCache<string, true>({ max: REMEMBERED });

  constructor(
    private readonly rotation: RotationWatch,
    private readonly signers: Signers,
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
  ) {}

  /** Handshake of CloudEvents (HTTP 1.1 Web Hooks for Event Delivery §4). */
  @Options()
  @HttpCode(200)
  @ApiOperation({ summary: 'Handshake of CloudEvents' })
  handshake(
    @Headers('webhook-request-origin') origin: string | undefined,
    @Headers('webhook-request-rate') rate: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): void {
    if (origin === undefined || !ORIGIN.test(origin))
      throw new SiegelError('HOOK_EVENT_INVALID', {
        detail: 'WebHook-Request-Origin is missing or no host name',
      });
    reply.header('webhook-allowed-origin', origin);
    if (rate !== undefined) reply.header('webhook-allowed-rate', /^\d{1,6}$/.test(rate) ? rate : '120');
    reply.header('allow', 'OPTIONS, POST');
  }

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Events of Key Vault from Event Grid, in either schema; and its validation' })
  deliver(@Body() body: unknown): { validationResponse: string } | { accepted: number; duplicates: number } {
    const request = readEventGrid(body);
    for (const azureName of request.azureNames) {
      if (this.vaults.namesOf(azureName).length === 0 && !this.signers.uses(azureName))
        throw new SiegelError('HOOK_TOPIC_UNKNOWN', { detail: `no vault ${azureName} is configured here` });
    }
    if (request.kind === 'validation') return { validationResponse: request.code };
    const fresh = request.notifications.filter((event) => this.isNew(event));
    // Answered at once: a slow vault must not make Event Grid deliver again.
    for (const event of fresh) void this.take(event);
    return { accepted: fresh.length, duplicates: request.notifications.length - fresh.length };
  }

  private isNew({ azureName, id }: VaultNotification): boolean {
    const name = `${azureName}/${id}`;
    if (this.seen.has(name)) return false;
    this.seen.set(name, true);
    return true;
  }

  private async take({ azureName, objectType, objectName }: VaultNotification): Promise<void> {
    try {
      if (objectType === 'key') return await this.rotation.keyChanged(azureName, objectName);
      for (const vault of this.vaults.namesOf(azureName))
        await this.rotation.objectChanged(vault, objectName, 'hint');
    } catch (error) {
      this.log.error({ msg: 'a notification came to nothing; the poll will see', err: error });
    }
  }
}
