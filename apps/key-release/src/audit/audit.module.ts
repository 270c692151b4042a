import { AuditEmitter } from '#emitter';
import { HealthRegistry, NatsRequests, TRUST, type Trust } from '#platform';
import { LocalSigner } from '#pki';
import {
  Global,
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';

export const AUDIT_EMITTER = Symbol('AUDIT_EMITTER');

/** The emitting end of the audit log for this service. */
@Global()
@Module({
  providers: [
    {
      provide: AUDIT_EMITTER,
      inject: [NatsRequests, KEY_RELEASE_ENVIRONMENT, TRUST, HealthRegistry],
      useFactory: async (
        requests: NatsRequests,
        environment: KeyReleaseEnvironment,
        trust: Trust,
        health: HealthRegistry,
      ): Promise<AuditEmitter> => {
        const signer = await LocalSigner.fromFile(environment.SIEGEL_EMITTER_KEY_FILE);
        const log = new Logger('audit');
        const emitter = new AuditEmitter(requests, {
          name: 'key-release',
          instance: environment.SIEGEL_INSTANCE,
          key: signer,
          logs: trust.logs,
          originOf: (tenant) => `${environment.SIEGEL_LOG_ORIGIN}/${tenant}`,
          timeoutMs: environment.SIEGEL_AUDIT_TIMEOUT_MS,
          onError: (message) => log.error(message),
        });
        health.register('audit', () => ({ ok: emitter.available }));
        return emitter;
      },
    },
  ],
  exports: [AUDIT_EMITTER],
})
export class AuditModule implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(
    @Inject(AUDIT_EMITTER) private readonly emitter: AuditEmitter,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** The start of a replica is an event; if the log is not there yet, the event is sent when it is. */
  async onApplicationBootstrap(): Promise<void> {
    await this.emitter.record(this.lifecycle('service.started')).catch(() => undefined);
  }

  async onModuleDestroy(): Promise<void> {
    if (this.emitter.available)
      await this.emitter.record(this.lifecycle('service.stopped')).catch(() => undefined);
    await this.emitter.close();
  }

  private lifecycle(type: 'service.started' | 'service.stopped') {
    const tenant = this.environment.SIEGEL_DEFAULT_TENANT ?? 'default';
    if (type === 'service.stopped') {
      return { tenant, type, outcome: 'ok' as const, data: { service: 'key-release' } };
    }
    return {
      tenant,
      type,
      outcome: 'ok' as const,
      data: {
        service: 'key-release',
        version: '0.1.0',
        keys: [],
        simulation: this.environment.SIEGEL_SIMULATION,
      },
    };
  }
}
