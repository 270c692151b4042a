import { SiegelError } from '#contracts';
import { formatVerifierKey } from '#transparency';
import {
  Controller,
  Get,
  Header,
  Inject,
  Injectable,
  Logger,
  Module,
  Param,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { createPublicKey } from 'node:crypto';
import { AuditLog } from '../audit-log.js';
import type { OwnLog } from '../own-log.js';

const FRESHNESS_MS = 5_000;

/** Announces in each log that another key signs it now, once; the note is signed by the key before. */
@Injectable()
export class SuccessionAnnouncer implements OnApplicationBootstrap {
  private readonly logger = new Logger('succession');

  constructor(@Inject(AuditLog) private readonly audit: AuditLog) {}

  onApplicationBootstrap(): void {
    for (const log of this.audit.keys.logs)
      this.announce(log).catch((error: unknown) =>
        this.logger.error({ msg: 'the next key of the log was not announced', err: error }),
      );
  }

  private async announce(log: OwnLog): Promise<void> {
    const { keys, successions, follower, reader, sequencer } = this.audit;
    const note = successions.of(log.origin).at(-1);
    if (keys.previous === undefined || note === undefined) return;
    await follower.waitIndexed(sequencer.head, FRESHNESS_MS);
    const fields = [{ path: 'data.next', value: log.kid }];
    const filters = { tenant: log.name, type: 'log.key' as const, fields };
    const { events } = await reader.call('search', { filters, order: 'oldest', after: undefined, limit: 1 });
    if (events.length > 0) return;
    sequencer.record({
      type: 'log.key',
      tenant: log.name,
      outcome: 'ok',
      data: { previous: keys.previous.kid, next: log.kid, succession: note },
    });
  }
}

/** The keys of the logs; open to everybody, as the checkpoints are. */
@ApiTags('log')
@Controller()
export class LogKeysController {
  constructor(@Inject(AuditLog) private readonly audit: AuditLog) {}

  @Get(['v1/log/keys', 'v1/logs/:log/keys'])
  @Header('cache-control', 'no-cache')
  @ApiOperation({
    summary: 'The key that signs the log, and the successions that lead to it, each signed by the key before',
  })
  keys(@Param('log') name?: string) {
    const { logs, logKey } = this.audit.keys;
    const log = name === undefined ? logs[0] : logs.find((own) => own.name === name);
    if (!log) throw new SiegelError('NOT_FOUND', { detail: 'there is no such log' });
    return {
      log: log.origin,
      vkey: formatVerifierKey(log.origin, createPublicKey(logKey)),
      successions: this.audit.successions.of(log.origin),
    };
  }
}

@Module({ controllers: [LogKeysController], providers: [SuccessionAnnouncer] })
export class SuccessionModule {}
