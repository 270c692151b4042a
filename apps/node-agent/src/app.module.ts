import { HealthModule, HealthRegistry, MetricsModule } from '#platform';
import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { AGENT_ENVIRONMENT, type AgentEnvironment } from './agent-environment.js';
import { AgentMetrics } from './agent-metrics.js';
import { AesmClient } from './aesm/aesm-client.js';
import { CertificateController } from './certificate/certificate.controller.js';
import { CertificateTasks } from './certificate/certificate-tasks.js';
import { IssuerClient } from './certificate/issuer-client.js';
import { EnclaveController } from './enclave/enclave.controller.js';
import { QuotingEnclave } from './quoting/quoting-enclave.js';
import { SystemController } from './system/system.controller.js';

/** The agent beside enclaves that cannot make a DCAP quote themselves. It keeps no secret and decides nothing. */
@Module({})
export class AppModule implements OnApplicationShutdown {
  static of(environment: AgentEnvironment): DynamicModule {
    return {
      module: AppModule,
      imports: [HealthModule, MetricsModule],
      controllers: [EnclaveController, CertificateController, SystemController],
      providers: [
        { provide: AGENT_ENVIRONMENT, useValue: environment },
        {
          provide: AesmClient,
          useFactory: () =>
            new AesmClient(environment.SIEGEL_AESM_SOCKET, environment.SIEGEL_AESM_TIMEOUT_MS),
        },
        {
          provide: QuotingEnclave,
          useFactory: (aesm: AesmClient) => new QuotingEnclave(aesm, environment.SIEGEL_AESM_MAX_QUOTES),
          inject: [AesmClient],
        },
        { provide: IssuerClient, useFactory: () => new IssuerClient(environment) },
        {
          provide: CertificateTasks,
          useFactory: (issuer: IssuerClient) =>
            new CertificateTasks(issuer, {
              max: environment.SIEGEL_AGENT_MAX_TASKS,
              seconds: environment.SIEGEL_AGENT_TASK_SECONDS,
            }),
          inject: [IssuerClient],
        },
        AgentMetrics,
      ],
    };
  }

  constructor(
    @Inject(IssuerClient) private readonly issuer: IssuerClient,
    @Inject(AesmClient) aesm: AesmClient,
    health: HealthRegistry,
  ) {
    health.register('aesm', async () => ({ ok: (await aesm.keyCount()) > 0 }));
    health.register('issuer', async () => ({ ok: await issuer.reachable() }));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.issuer.close();
  }
}
