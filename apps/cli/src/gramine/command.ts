import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface CaOptions extends DeploymentOptions {
  readonly output?: string;
  readonly json?: true;
}

export function registerGramine(program: Command, session: Session): void {
  const gramine = program
    .command('gramine')
    .helpGroup('Operating a deployment:')
    .summary('what Gramine applications need to come here')
    .description('What Gramine applications need to get their secrets from this deployment.');

  const ca = gramine
    .command('ca')
    .summary('export the CA that enclaves pin')
    .description(
      'Prints the root certificate of the Secret Provisioning servers: the file of SECRET_PROVISION_CA_CHAIN_PATH. It is measured into each enclave that ' +
        'has it among its trusted files, so it lives long; what it signs is renewed by itself.',
    )
    .option('-o, --output <file>', 'write it to a file')
    .option('--json', 'print {pem, sha256, notAfter, port}')
    .addHelpText('after', '\nExample:\n  $ siegel gramine ca -o ca.crt');
  addDeploymentOptions(ca, 'release').action(
    session.command(async (options: CaOptions) => {
      const { exportCa } = await import('./export-ca.js');
      return exportCa(options, session.terminal);
    }),
  );
}
