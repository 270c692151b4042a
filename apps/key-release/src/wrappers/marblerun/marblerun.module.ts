import type { AuditEmitter } from '#emitter';
import type { VaultRegistry } from '#vault';
import { Module } from '@nestjs/common';
import { AUDIT_EMITTER } from '../../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { VAULTS } from '../../vaults/vaults.token.js';
import { ActivationListener } from './activation/activation-listener.js';
import { Activation } from './activation/activation.js';
import { MarbleSecrets } from './generation/secret-works.js';
import { DEPLOYMENTS, SECRET_WORKS, type SecretWorks } from './interface.js';
import { ClientService } from './rest/client-service.js';
import { readDeployments } from './state/deployments-file.js';
import { openCoordinators } from './state/open-coordinators.js';
import { CoordinatorRegistry } from './state/registry.js';

/**
 * MarbleRun's coordinator: its REST API for operators and its gRPC for marbles, one deployment per host name. Off unless configured.
 * Each half adds its providers here: manifest, state, users, updates, recovery and REST; activation with templates and secrets.
 */
@Module({
  providers: [
    MarbleSecrets,
    { provide: SECRET_WORKS, useExisting: MarbleSecrets },
    {
      provide: DEPLOYMENTS,
      inject: [KEY_RELEASE_ENVIRONMENT, VAULTS, AUDIT_EMITTER, SECRET_WORKS],
      useFactory: async (
        environment: KeyReleaseEnvironment,
        vaults: VaultRegistry,
        audit: AuditEmitter,
        works: SecretWorks,
      ): Promise<CoordinatorRegistry> => {
        const file = environment.SIEGEL_MARBLERUN_FILE;
        if (file === undefined) return new CoordinatorRegistry([]);
        const deployments = readDeployments(
          file,
          environment.SIEGEL_STATE_DIR,
          environment.SIEGEL_SIMULATION,
        );
        return openCoordinators(deployments, { audit, works, clock: () => new Date() }, vaults);
      },
    },
    ClientService,
    Activation,
    ActivationListener,
  ],
})
export class MarbleRunModule {}
