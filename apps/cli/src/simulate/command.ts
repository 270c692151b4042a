import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface SimulateOptions extends DeploymentOptions {
  readonly mrenclave: string;
  readonly mrsigner: string;
  readonly isvprodid: string;
  readonly isvsvn: string;
  readonly workload?: string;
  readonly values?: true;
  readonly json?: true;
}

export function registerSimulate(program: Command, session: Session): void {
  const simulate = program
    .command('simulate')
    .helpGroup('Development:')
    .summary('boot one simulated enclave against a deployment of "siegel up"')
    .description(
      'Does what an enclave does at boot, in software: makes a key, has the simulated platform of the state folder quote it, attests, and ' +
        'opens what comes back. Only a deployment that pins this simulated root believes it.',
    )
    .requiredOption('--mrenclave <hex>', 'measurement of the enclave, 64 hexadecimal digits')
    .option('--mrsigner <hex>', 'its signer', '00'.repeat(31) + '01')
    .option('--isvprodid <number>', 'its product', '1')
    .option('--isvsvn <number>', 'its security version', '1')
    .option('--workload <name>', 'which workload it says it is')
    .option('--values', 'also print the values of what it received')
    .option('--json', 'print {workload, session, env, files, certificate?, promise}')
    .addHelpText(
      'after',
      `
Example:
  $ siegel simulate --mrenclave 4b1d...c0 --values

Exit code: 0 released, 1 denied or failed, 2 the command was not understood.`,
    );
  addDeploymentOptions(simulate, 'release').action(
    session.command(async (options: SimulateOptions) => {
      const { simulateEnclave } = await import('./simulate-enclave.js');
      return simulateEnclave(options, session.terminal);
    }),
  );
}
