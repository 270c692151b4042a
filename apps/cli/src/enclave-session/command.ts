import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface RevokeOptions extends DeploymentOptions {
  readonly tenant?: string;
  readonly json?: true;
}

export function registerEnclaveSession(program: Command, session: Session): void {
  const enclaves = program
    .command('session')
    .helpGroup('Operating a deployment:')
    .summary('end the session of an enclave')
    .description(
      'A session begins with an attestation and lets its enclave fetch releases again without a second quote.',
    );
  const revoke = enclaves
    .command('revoke')
    .summary('end a session now')
    .description(
      'Ends a session on all replicas: its tokens fetch no release any more. What the enclave has it keeps, a certificate until it expires; ' +
        'and it may attest anew: whom the manifest must not admit again, take out of the manifest.',
    )
    .argument('<id>', 'the session, as "siegel audit query" names it')
    .option('--tenant <name>', 'tenant (SIEGEL_TENANT; default: that of siegel.json)')
    .option('--json', 'print one JSON object');
  addDeploymentOptions(revoke, 'release').action(
    session.command(async (id: string, options: RevokeOptions) => {
      const { revokeSession } = await import('./revoke-session.js');
      return revokeSession(id, options, session.terminal);
    }),
  );
}
