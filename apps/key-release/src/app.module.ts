import {
  ConfigurationModule,
  HealthModule,
  HealthRegistry,
  MetricsModule,
  NatsModule,
  NatsRequests,
} from '#platform';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { AppraisalModule } from './appraisal/appraisal.module.js';
import { AuditModule } from './audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from './environment.js';
import { ManifestsModule } from './manifests/manifests.module.js';
import { PipelineModule } from './pipeline/pipeline.module.js';
import type { Signers } from './signing/signers.js';
import { RotationModule } from './rotation/rotation.module.js';
import { SigningModule } from './signing/signing.module.js';
import { StreamModule } from './stream/stream.module.js';
import { TenantResolver } from './tenants/tenant-resolver.js';
import { SecretsController } from './vaults/secrets.controller.js';
import { VaultsModule } from './vaults/vaults.module.js';
import { WRAPPER_MODULES } from './wrappers/index.js';

@Global()
@Module({})
class SettingsModule {
  static of(environment: KeyReleaseEnvironment): DynamicModule {
    return {
      module: SettingsModule,
      providers: [
        { provide: KEY_RELEASE_ENVIRONMENT, useValue: environment },
        {
          provide: TenantResolver,
          useFactory: () =>
            new TenantResolver(environment.SIEGEL_TENANT_HOSTS, environment.SIEGEL_DEFAULT_TENANT),
        },
      ],
      exports: [KEY_RELEASE_ENVIRONMENT, TenantResolver],
    };
  }
}

@Module({})
export class AppModule {
  constructor(health: HealthRegistry, requests: NatsRequests) {
    health.register('nats', () => ({ ok: requests.isConnected }));
  }

  static of(environment: KeyReleaseEnvironment, signers: Signers): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigurationModule.of(environment),
        SettingsModule.of(environment),
        HealthModule,
        MetricsModule,
        NatsModule.forService('key-release'),
        SigningModule.with(signers),
        AuditModule,
        VaultsModule,
        ManifestsModule,
        PipelineModule,
        AppraisalModule,
        RotationModule,
        StreamModule,
        ...WRAPPER_MODULES,
      ],
      controllers: [SecretsController],
    };
  }
}
