import { ConfigurationError, HealthRegistry } from '#platform';
import { VaultRegistry, VaultsConfig } from '#vault';
import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { VAULTS } from './vaults.token.js';

@Global()
@Module({
  providers: [
    {
      provide: VAULTS,
      inject: [KEY_RELEASE_ENVIRONMENT, HealthRegistry],
      useFactory: async (
        environment: KeyReleaseEnvironment,
        health: HealthRegistry,
      ): Promise<VaultRegistry> => {
        const registry = await VaultRegistry.open(readConfig(environment.SIEGEL_VAULTS_FILE), {
          baseDir: dirname(environment.SIEGEL_VAULTS_FILE),
        });
        health.register('vaults', () => ({ ok: true, detail: registry.names.join(', ') }));
        return registry;
      },
    },
  ],
  exports: [VAULTS],
})
export class VaultsModule implements OnApplicationShutdown {
  constructor(@Inject(VAULTS) private readonly vaults: VaultRegistry) {}

  async onApplicationShutdown(): Promise<void> {
    await this.vaults.close();
  }
}

function readConfig(path: string): VaultsConfig {
  try {
    return VaultsConfig.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new ConfigurationError([
      {
        variable: 'SIEGEL_VAULTS_FILE',
        message: `is not a valid vault configuration: ${(error as Error).message.slice(0, 500)}`,
      },
    ]);
  }
}
