import { METRICS } from '#platform';
import {
  Inject,
  Logger,
  Module,
  Optional,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { join } from 'node:path';
import { Gauge, type Registry } from 'prom-client';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from '../audit-environment.js';
import { AuditLog } from '../audit-log.js';
import { ArchiveClient } from './archive-client.js';
import { readOrCreateEvidenceKey } from './evidence-cipher.js';
import { EvidenceController } from './evidence.controller.js';
import { EvidenceKeeper } from './evidence-keeper.js';
import { HandoverController } from './handover.controller.js';
import { PendingEvidence } from './pending-evidence.js';
import { Retention } from './retention.js';

const HOUR_MS = 3_600_000;
const MEGABYTE = 1024 * 1024;

/** Kept evidence; where it is off, nothing is taken, kept or given out. */
@Module({
  controllers: [EvidenceController, HandoverController],
  providers: [
    {
      provide: Retention,
      inject: [AUDIT_ENVIRONMENT, AuditLog, METRICS],
      useFactory: (
        environment: AuditEnvironment,
        log: AuditLog,
        registry: Registry,
      ): Retention | undefined => {
        const { SIEGEL_AUDIT_EVIDENCE: retained, SIEGEL_STATE_DIR: folder } = environment;
        if (retained === 'off') return undefined;
        const logger = new Logger('evidence');
        const key = readOrCreateEvidenceKey(
          environment.SIEGEL_AUDIT_EVIDENCE_KEY_FILE ?? join(folder, 'evidence.key'),
        );
        const archive = new ArchiveClient({ path: join(folder, 'evidence.db'), key }, (error) => {
          // The log does not depend on it: what is not kept from now on is recorded as missing at the next start.
          logger.error({ msg: 'the archive of evidence ended', err: error });
        });
        const pending = new PendingEvidence();
        const onProblem = (message: string): void => logger.error(message);
        const keeper = new EvidenceKeeper(archive, pending, {
          retained,
          graceMs: environment.SIEGEL_AUDIT_EVIDENCE_GRACE_SECONDS * 1_000,
          after: (position, limit) => log.reader.call('after', { position, limit }),
          head: () => log.sequencer.head,
          record: (statement) => log.sequencer.record(statement),
          onProblem,
        });
        const limits = {
          maxAgeMs: environment.SIEGEL_AUDIT_EVIDENCE_MAX_AGE_HOURS * HOUR_MS,
          maxBytes: environment.SIEGEL_AUDIT_EVIDENCE_MAX_MEGABYTES * MEGABYTE,
        };
        const retention = new Retention(archive, pending, keeper, limits, onProblem);
        gauges(retention, registry);
        return retention;
      },
    },
  ],
})
export class EvidenceModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Optional() @Inject(Retention) private readonly retention: Retention | undefined,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.retention) return;
    await this.retention.start();
    this.log.follower.on('indexed', () => this.retention?.wake());
  }

  async onModuleDestroy(): Promise<void> {
    await this.retention?.stop();
  }
}

function gauges(retention: Retention, registry: Registry): void {
  new Gauge({
    name: 'siegel_audit_evidence_awaited',
    help: 'Events whose evidence has not come yet',
    registers: [registry],
    collect() {
      this.set(retention.awaited);
    },
  });
  new Gauge({
    name: 'siegel_audit_evidence_bytes',
    help: 'Bytes of evidence that are kept, as of the last look for what is too old',
    registers: [registry],
    collect() {
      this.set(retention.bytes);
    },
  });
}
