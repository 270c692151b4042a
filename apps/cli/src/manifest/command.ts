import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface TenantOptions extends DeploymentOptions {
  readonly tenant?: string;
  readonly json?: true;
}
export interface SetOptions extends TenantOptions {
  readonly ifVersion?: string;
}

export function registerManifest(program: Command, session: Session): void {
  const manifest = program
    .command('manifest')
    .helpGroup('Operating a deployment:')
    .summary('write, check and set the manifest: which measurement may have which secret')
    .description(
      'The manifest says which enclave may have which secret. It is linted offline, and set by compare-and-swap.',
    );

  manifest
    .command('lint')
    .summary('check a manifest file (offline)')
    .description('Checks a manifest file offline and names each problem with its line and column.')
    .argument('<file>', 'YAML or JSON; "-" reads standard input')
    .option('--json', 'print {ok, problems}')
    .addHelpText(
      'after',
      '\nExit code: 0 no error (there may be warnings), 1 errors, 2 the file cannot be read.',
    )
    .action(
      session.command(async (file: string, options: { json?: true }) => {
        const { lintFile } = await import('./lint-file.js');
        return lintFile(file, options.json === true, session.terminal);
      }),
    );

  const set = manifest
    .command('set')
    .summary('bring a manifest into force')
    .description(
      'Lints a manifest and brings it into force. It replaces exactly the version that --if-version names (0: there is none yet); ' +
        'without the option, the version that is in force when the command starts.',
    )
    .argument('<file>', 'YAML or JSON; "-" reads standard input')
    .option('--tenant <name>', 'tenant (SIEGEL_TENANT; default: that of siegel.json)')
    .option('--if-version <number>', 'refuse unless this version is in force')
    .option('--json', 'print the record that is in force now');
  addDeploymentOptions(set, 'release').action(
    session.command(async (file: string, options: SetOptions) => {
      const { setManifest } = await import('./set-manifest.js');
      return setManifest(file, options, session.terminal);
    }),
  );

  const get = manifest
    .command('get')
    .summary('print the manifest in force')
    .description('Prints the manifest in force, exactly as it was set.')
    .option('--tenant <name>', 'tenant (SIEGEL_TENANT; default: that of siegel.json)')
    .option('--json', 'print the record: version, digest, who and when, text');
  addDeploymentOptions(get, 'release').action(
    session.command(async (options: TenantOptions) => {
      const { getManifest } = await import('./read-manifest.js');
      return getManifest(options, session.terminal);
    }),
  );

  const history = manifest
    .command('history')
    .summary('list the versions of the manifest')
    .description('Lists the versions of the manifest: number, when, by whom, digest.')
    .option('--tenant <name>', 'tenant (SIEGEL_TENANT; default: that of siegel.json)')
    .option('--json', 'print {history}');
  addDeploymentOptions(history, 'release').action(
    session.command(async (options: TenantOptions) => {
      const { manifestHistory } = await import('./read-manifest.js');
      return manifestHistory(options, session.terminal);
    }),
  );
}
