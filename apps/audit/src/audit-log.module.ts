import { HealthRegistry, METRICS, NATS_CONNECTION, TRUST, type Trust } from '#platform';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  Global,
  Inject,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from './audit-environment.js';
import { AuditLog } from './audit-log.js';
import { Distribution } from './distribution/distribution.js';

const HOPELESS = 70;

/** The log and its distribution, opened before the service listens and closed after it stopped answering. */
@Global()
@Module({
  providers: [
    {
      provide: AuditLog,
      inject: [AUDIT_ENVIRONMENT, TRUST, METRICS, HealthRegistry],
      useFactory: async (
        environment: AuditEnvironment,
        trust: Trust,
        registry: Registry,
        health: HealthRegistry,
      ): Promise<AuditLog> => {
        const logger = new Logger('audit-log');
        const seconds = new Histogram({
          name: 'siegel_audit_commit_seconds',
          help: 'Time of a group commit, from handing it over to its answer',
          buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2],
          registers: [registry],
        });
        const entries = new Counter({
          name: 'siegel_audit_entries_total',
          help: 'Entries committed to the log by this process',
          registers: [registry],
        });
        const log = await AuditLog.open(environment, trust, {
          onCommit: (appended, milliseconds) => {
            entries.inc(appended);
            seconds.observe(milliseconds / 1_000);
          },
          onProblem: (message) => logger.error(message),
          onFailure: (error) => {
            // What is durable is durable; an unknown state must not go on answering.
            logger.fatal(error);
            process.exit(HOPELESS);
          },
        });
        gauges(log, registry);
        health.register('log', () => ({
          ok: log.sequencer.queued < environment.SIEGEL_AUDIT_QUEUE_EVENTS,
          detail: log.sequencer.leads ? 'leads' : 'stands by',
        }));
        return log;
      },
    },
    {
      provide: Distribution,
      inject: [NATS_CONNECTION, AuditLog, AUDIT_ENVIRONMENT, METRICS],
      useFactory: (
        nats: NatsConnection,
        log: AuditLog,
        environment: AuditEnvironment,
        registry: Registry,
      ) => {
        const logger = new Logger('distribution');
        const distribution = new Distribution(nats, log, environment, (message) => logger.warn(message));
        new Gauge({
          name: 'siegel_audit_distribution_lag_entries',
          help: 'Committed entries that JetStream does not have yet',
          registers: [registry],
          collect() {
            this.set(distribution.lag);
          },
        });
        distribution.start();
        return distribution;
      },
    },
  ],
  exports: [AuditLog, Distribution],
})
export class AuditLogModule implements OnModuleDestroy, OnApplicationShutdown {
  constructor(
    @Inject(AuditLog) private readonly log: AuditLog,
    @Inject(Distribution) private readonly distribution: Distribution,
  ) {}

  /** Distribution ends first: it needs the connection, and goes on from its mark at the next start. */
  async onModuleDestroy(): Promise<void> {
    await this.distribution.stop();
  }

  /** By now every request in work was answered. */
  async onApplicationShutdown(): Promise<void> {
    await this.log.close();
  }
}

function gauges(log: AuditLog, registry: Registry): void {
  new Gauge({
    name: 'siegel_audit_leading',
    help: 'Whether this process sequences the log',
    registers: [registry],
    collect() {
      this.set(log.sequencer.leads ? 1 : 0);
    },
  });
  new Gauge({
    name: 'siegel_audit_queue_events',
    help: 'Verified events that wait for a commit',
    registers: [registry],
    collect() {
      this.set(log.sequencer.queued);
    },
  });
  new Gauge({
    name: 'siegel_audit_index_lag_entries',
    help: 'Committed entries that searches do not find yet',
    registers: [registry],
    collect() {
      this.set(Math.max(log.sequencer.head - log.follower.indexed, 0));
    },
  });
  new Gauge({
    name: 'siegel_audit_checkpoint_size',
    help: 'Entries in the last published checkpoint',
    labelNames: ['log'],
    registers: [registry],
    collect() {
      for (const { id, origin } of log.keys.logs) this.set({ log: origin }, log.follower.published(id));
    },
  });
}
