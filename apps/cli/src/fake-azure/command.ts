import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CliError } from '../failure/cli-error.js';
import type { Session } from '../session.js';

/** The fake lives with the tests; only a command that asks for it loads it. */
const PROGRAM = new URL('../../../../test/fake-azure/main.js', import.meta.url);

export function registerFakeAzure(program: Command, session: Session): void {
  program
    .command('fake-azure')
    .helpGroup('Development:')
    .summary('run a local stand-in for Azure Key Vault and its login')
    .description(
      'Runs a local HTTPS server that speaks the REST of Azure Key Vault and of its login, for tests and demos.',
    )
    .argument('[arguments...]', 'arguments of the fake; "siegel fake-azure --help" lists them')
    .allowUnknownOption()
    .helpOption(false)
    .passThroughOptions(false)
    .action(
      session.command(async (args: string[]) => {
        if (!existsSync(PROGRAM)) {
          throw CliError.of(
            'COMPONENT_MISSING',
            `The fake of Azure is not built: "${fileURLToPath(PROGRAM)}" does not exist.`,
          );
        }
        const { run } = (await import(PROGRAM.href)) as { run: (argv: string[]) => Promise<number | void> };
        return (await run(args)) ?? 0;
      }),
    );
}
