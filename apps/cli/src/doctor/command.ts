import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface DoctorOptions extends DeploymentOptions {
  readonly tenant?: string;
  readonly vault?: string;
  readonly json?: true;
}

export function registerDoctor(program: Command, session: Session): void {
  const doctor = program
    .command('doctor')
    .helpGroup('Operating a deployment:')
    .summary('check a deployment, and say what to do about what fails')
    .description(
      'Checks that the three services run and are ready, NATS, the clocks, the credentials, the manifest and the vault; one line each, ' +
        'with what to do about what fails.',
    )
    .option('--tenant <name>', 'tenant (SIEGEL_TENANT; default: that of siegel.json)')
    .option('--vault <name>', 'vault (SIEGEL_VAULT; default: that of siegel.json)')
    .option('--json', 'print {ok, checks: [{name, ok, detail, code?, remedy?}]}');
  addDeploymentOptions(doctor, 'release', 'verifier', 'audit').action(
    session.command(async (options: DoctorOptions) => {
      const { examine } = await import('./examine.js');
      return examine(options, session.terminal);
    }),
  );
}
