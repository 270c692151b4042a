import { configuredBy, HealthRegistry, readConfigurationFile } from '#platform';
import { VaultRegistry, VaultsConfig } from '#vault';
import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { dirname } from 'node:path';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { VaultMonitor } from './vault-monitor.js';
import { VaultsHealthController } from './vaults-health.controller.js';
import { VAULTS } from './vaults.token.js';

@Global()
@Module({
  providers: [
    {
      provide: VAULTS,
      inject: [KEY_RELEASE_ENVIRONMENT],
      useFactory: (environment: KeyReleaseEnvironment): Promise<VaultRegistry> =>
        VaultRegistry.open(readConfig(environment.SIEGEL_VAULTS_FILE), {
          baseDir: dirname(environment.SIEGEL_VAULTS_FILE),
        }),
    },
    VaultMonitor,
  ],
  controllers: [VaultsHealthController],
  exports: [VAULTS],
})
export class VaultsModule implements OnApplicationShutdown {
  constructor(
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    monitor: VaultMonitor,
    health: HealthRegistry,
  ) {
    health.register('vaults', () => monitor.readiness());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.vaults.close();
  }
}

function readConfig(path: string): VaultsConfig {
  return configuredBy('SIEGEL_VAULTS_FILE', () => readConfigurationFile(VaultsConfig, path));
}
