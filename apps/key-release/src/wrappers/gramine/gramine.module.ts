import { Module } from '@nestjs/common';
import { join } from 'node:path';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { AuthorityController } from './authority.controller.js';
import { ProvisioningAuthority } from './provisioning-authority.js';
import { PROVISIONING_AUTHORITY, ProvisioningListener } from './provisioning-listener.js';
import { Provisioning } from './provisioning.js';

/** Gramine's Secret Provisioning; off unless it has a port. */
@Module({
  controllers: [AuthorityController],
  providers: [
    Provisioning,
    ProvisioningListener,
    {
      provide: PROVISIONING_AUTHORITY,
      inject: [KEY_RELEASE_ENVIRONMENT],
      useFactory: async (environment: KeyReleaseEnvironment): Promise<ProvisioningAuthority | undefined> => {
        if (environment.SIEGEL_GRAMINE_PORT === 0) return undefined;
        const dir = environment.SIEGEL_GRAMINE_CA_DIR ?? join(environment.SIEGEL_STATE_DIR, 'gramine-ca');
        return ProvisioningAuthority.open(dir, environment.SIEGEL_TRUST_DOMAIN);
      },
    },
  ],
})
export class GramineModule {}
