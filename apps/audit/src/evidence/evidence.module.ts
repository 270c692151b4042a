import { METRICS, NatsRequests, TRUST, type Trust } from '#platform';
import {
  Inject,
  Logger,
  Module,
  Optional,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Gauge, type Registry } from 'prom-client';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from '../audit-environment.js';
import { AuditLog } from '../audit-log.js';
import { type ConfiguredArchive, openArchive } from './configured-archive.js';
import { EvidenceController } from './evidence.controller.js';
import { EvidenceEvents } from './evidence-events.js';
import { EvidenceGate } from './evidence-gate.js';
import { EvidenceKeeper } from './evidence-keeper.js';
import { HandoverController } from './handover.controller.js';
import { PendingEvidence } from './pending-evidence.js';
import { Retention } from './retention.js';

const ARCHIVE = Symbol('evidence archive');
const logger = new Logger('evidence');

/** Kept evidence; where it is off, nothing is taken, kept or given out. */
@Module({
  controllers: [EvidenceController, HandoverController],
  providers: [
    EvidenceGate,
    {
      provide: ARCHIVE,
      inject: [AUDIT_ENVIRONMENT],
      useFactory: (environment: AuditEnvironment): Promise<ConfiguredArchive | undefined> =>
        openArchive(environment, (error) => {
          // The log does not depend on it: what is not kept from now on is recorded as missing at the next start.
          logger.error({ msg: 'the archive of evidence ended', err: error });
        }),
    },
    {
      provide: Retention,
      inject: [ARCHIVE, AUDIT_ENVIRONMENT, AuditLog, METRICS],
      useFactory: (
        archive: ConfiguredArchive | undefined,
        environment: AuditEnvironment,
        log: AuditLog,
        registry: Registry,
      ): Retention | undefined => {
        const { SIEGEL_AUDIT_EVIDENCE: retained } = environment;
        if (!archive || retained === 'off') return undefined;
        const pending = new PendingEvidence();
        const onProblem = (message: string): void => logger.error(message);
        const options = {
          retained,
          graceMs: environment.SIEGEL_AUDIT_EVIDENCE_GRACE_SECONDS * 1_000,
          after: (position: number, limit: number) => log.reader.call('after', { position, limit }),
          head: () => log.sequencer.head,
          record: log.sequencer.record.bind(log.sequencer),
          handedToAll: log.replica !== undefined,
          onProblem,
        };
        const retention = new Retention(
          archive.reader,
          pending,
          (writer) => new EvidenceKeeper(writer, pending, options),
          onProblem,
        );
        gauges(retention, registry);
        return retention;
      },
    },
    {
      provide: EvidenceEvents,
      inject: [Retention, AuditLog, NatsRequests, TRUST, AUDIT_ENVIRONMENT],
      useFactory: (
        retention: Retention | undefined,
        log: AuditLog,
        requests: NatsRequests,
        trust: Trust,
        environment: AuditEnvironment,
      ): EvidenceEvents | undefined =>
        retention &&
        new EvidenceEvents(log, requests, trust, environment.SIEGEL_INSTANCE, (message) =>
          logger.error(message),
        ),
    },
  ],
})
export class EvidenceModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Optional() @Inject(ARCHIVE) private readonly archive: ConfiguredArchive | undefined,
    @Optional() @Inject(Retention) private readonly retention: Retention | undefined,
    @Optional() @Inject(EvidenceEvents) private readonly events: EvidenceEvents | undefined,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { archive, retention, log } = this;
    if (!archive || !retention) return;
    this.log.follower.on('indexed', () => retention.wake());
    if (!log.replica) return retention.keep(await archive.claim(0));
    const lead = (term: number): void => retention.lead(() => archive.claim(term));
    log.replica.on('leading', lead);
    log.replica.on('following', () => retention.follow());
    // It may lead since before this module was ready.
    const { term } = log.replica;
    if (term !== undefined) lead(term);
  }

  async onModuleDestroy(): Promise<void> {
    await this.events?.close();
    await this.retention?.stop();
  }
}

function gauges(retention: Retention, registry: Registry): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  gauge('siegel_audit_evidence_awaited', 'Events whose evidence has not come yet', () => retention.awaited);
  gauge(
    'siegel_audit_evidence_bytes',
    'Bytes of evidence that are kept, as of the last look for what is too old',
    () => retention.purged.bytes,
  );
  gauge(
    'siegel_audit_evidence_unreadable',
    'Pieces of evidence that are encrypted under a key that is not at hand, as of the same',
    () => retention.purged.unreadable,
  );
}
