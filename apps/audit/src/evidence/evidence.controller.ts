import { SiegelError } from '#contracts';
import {
  Controller,
  Delete,
  Get,
  Header,
  HttpCode,
  Inject,
  Optional,
  Param,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { AccessGuard, Caller, Requires } from '../access/access.guard.js';
import type { Principal } from '../access/roles.js';
import { AuditLog } from '../audit-log.js';
import { DIGESTED_FACTS } from '../index/facts.js';
import type { LoggedEvent } from '../query/query-schema.js';
import { EvidenceEvents } from './evidence-events.js';
import { Retention } from './retention.js';

const DIGEST = /^[0-9a-f]{64}$/;
const FRESHNESS_MS = 2_000;
/** Events that a piece of evidence is shown with. */
const MAX_EVENTS = 50;

/** The evidence behind events, for whoever wants to judge it again. */
@ApiTags('evidence')
@ApiBearerAuth()
@UseGuards(AccessGuard)
@Controller('v1')
export class EvidenceController {
  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Optional() @Inject(Retention) private readonly retention: Retention | undefined,
    @Optional() @Inject(EvidenceEvents) private readonly recorded: EvidenceEvents | undefined,
  ) {}

  @Get('evidence/:sha256')
  @Requires('evidence.read')
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'The evidence with this digest, byte for byte; that it was read is an event' })
  @ApiProduces('application/octet-stream')
  async evidence(
    @Param('sha256') sha256: string,
    @Caller() caller: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { events } = await this.named(sha256, caller);
    const bytes = await this.required().read(sha256);
    if (!bytes) throw this.gone();
    // Evidence names a machine: like a secret it does not leave before the log has promised to say so.
    await this.recorded!.record('evidence.read', tenantOf(events[0]!), sha256, caller.name);
    await reply.header('content-type', 'application/octet-stream').send(bytes);
  }

  @Get('evidence/:sha256/info')
  @Requires('evidence.read')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary: 'Whether evidence is kept, the events that name it and the collateral it was judged with',
  })
  async info(@Param('sha256') sha256: string, @Caller() caller: Principal): Promise<unknown> {
    const { events, more } = await this.named(sha256, caller);
    const info = await this.required().info(sha256);
    return {
      sha256,
      kept: info !== undefined,
      ...(info === undefined
        ? {}
        : {
            size: info.size,
            storedAt: new Date(info.stored).toISOString(),
            readable: info.readable,
            collateral: info.collateral ?? null,
            collateralKept: info.collateralHeld,
          }),
      events,
      more,
    };
  }

  @Get('collateral/:id')
  @Requires('evidence.read')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({ summary: 'The collateral with this id, as a bundle for "siegel verify"' })
  async collateral(@Param('id') id: string): Promise<string> {
    const bundle = DIGEST.test(id) ? await this.required().collateral(id) : undefined;
    if (bundle === undefined) throw new SiegelError('NOT_FOUND', { detail: 'this collateral is not kept' });
    return bundle;
  }

  @Delete('evidence/:sha256')
  @Requires('evidence.erase')
  @HttpCode(204)
  @ApiOperation({ summary: 'Remove evidence before its time; that it was removed is an event' })
  async erase(@Param('sha256') sha256: string, @Caller() caller: Principal): Promise<void> {
    const { events, more } = await this.named(sha256, caller, 'evidence.erase');
    // Evidence is shared by all events that name it: whoever erases must be admin of all their tenants.
    for (const event of events) caller.require('evidence.erase', tenantOf(event));
    // Of those that were not looked at nobody knows the tenant.
    if (more && caller.tenantsFor('evidence.erase') !== 'all') throw new SiegelError('ADMIN_FORBIDDEN');
    const retention = this.required();
    if (!(await retention.info(sha256))) throw this.gone();
    // Logged first: an erasure that fails behind its event can be repeated, one without an event would be silent.
    await this.recorded!.record('evidence.erased', tenantOf(events[0]!), sha256, caller.name);
    await retention.erase(sha256);
  }

  /** The events that name it, of the caller's tenants: without any, it does not exist for the caller. */
  private async named(
    sha256: string,
    caller: Principal,
    action: 'evidence.read' | 'evidence.erase' = 'evidence.read',
  ): Promise<{ events: LoggedEvent[]; more: boolean }> {
    this.required();
    await this.log.follower.waitIndexed(this.log.sequencer.head, FRESHNESS_MS);
    const fields = [{ path: DIGESTED_FACTS.evidence, value: sha256 }];
    const filters = {
      fields,
      tenants: action === 'evidence.read' ? caller.scope(action, undefined) : undefined,
    };
    const { events, more } = DIGEST.test(sha256)
      ? await this.log.reader.call('search', {
          filters,
          order: 'oldest',
          after: undefined,
          limit: MAX_EVENTS,
        })
      : { events: [], more: false };
    if (events.length === 0) throw new SiegelError('NOT_FOUND', { detail: 'no event names this evidence' });
    return { events, more };
  }

  private required(): Retention {
    if (!this.retention) throw new SiegelError('NOT_FOUND', { detail: 'evidence is not kept here' });
    return this.retention;
  }

  private gone(): SiegelError {
    return new SiegelError('EVIDENCE_NOT_KEPT');
  }
}

const tenantOf = ({ event }: LoggedEvent): string => String(event['tenant']);
