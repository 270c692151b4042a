import type { Command } from 'commander';
import type { DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface AuditorOptions extends DeploymentOptions {
  readonly tenant?: string;
  readonly out?: string;
  readonly json?: true;
}

const STATE = [
  '--state <folder>',
  'state folder of "siegel up" (SIEGEL_STATE; default: .siegel of the checkout)',
] as const;

export function registerAuditor(program: Command, session: Session): void {
  const auditor = program
    .command('auditor')
    .helpGroup('Operating a deployment:')
    .summary('credentials for auditors')
    .description(
      'Read-only users of the broker for auditors of one tenant. Works where "siegel up" runs; what to do with ' +
        'the credentials: siegel audit follow.',
    );
  auditor
    .command('create')
    .argument('<name>', 'name of the auditor')
    .summary('make credentials and a durable consumer')
    .description(
      "Makes a user that can read one tenant's events and nothing else, and writes its credentials (mode 0600).",
    )
    .option('--tenant <name>', 'whose events (default: that of the deployment)')
    .option('--out <file>', 'where to write the credentials (default: NAME.creds.json)')
    .option('--json', 'print one JSON object')
    .option(...STATE)
    .action(
      session.command(async (name: string, options: AuditorOptions) => {
        const { createAuditor } = await import('./manage-auditors.js');
        return createAuditor(name, options, session.terminal);
      }),
    );
  auditor
    .command('list')
    .summary('list the auditors')
    .option('--json', 'print one JSON object per line')
    .option(...STATE)
    .action(
      session.command(async (options: AuditorOptions) => {
        const { listAuditors } = await import('./manage-auditors.js');
        return listAuditors(options, session.terminal);
      }),
    );
  auditor
    .command('remove')
    .argument('<name>', 'name of the auditor')
    .summary('take the credentials back')
    .description('Removes the user, whom the broker disconnects at once, and its consumer.')
    .option('--json', 'print one JSON object')
    .option(...STATE)
    .action(
      session.command(async (name: string, options: AuditorOptions) => {
        const { dropAuditor } = await import('./manage-auditors.js');
        return dropAuditor(name, options, session.terminal);
      }),
    );
}
