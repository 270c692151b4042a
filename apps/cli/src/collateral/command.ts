import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface ShowOptions extends DeploymentOptions {
  readonly json?: true;
}

export function registerCollateral(program: Command, session: Session): void {
  const collateral = program
    .command('collateral')
    .helpGroup('Operating a deployment:')
    .summary('see the collateral that the quote-verifier holds')
    .description(
      'Collateral is what Intel publishes about platforms: TCB info, QE identity, revocation lists.',
    );
  const show = collateral
    .command('show')
    .summary('list it with its dates')
    .description(
      'Lists the collateral that the quote-verifier holds: for which platforms, how new, until when it is good.',
    )
    .option('--json', "print the service's answer");
  addDeploymentOptions(show, 'verifier').action(
    session.command(async (options: ShowOptions) => {
      const { showCollateral } = await import('./show-collateral.js');
      return showCollateral(options, session.terminal);
    }),
  );
}
