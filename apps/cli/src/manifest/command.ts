import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';
import type { ImportOptions } from './import/import-file.js';

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
    .option('--kind <kind>', "siegel, or marblerun for a manifest of MarbleRun's coordinator", 'siegel')
    .option('--json', 'print {ok, problems}')
    .addHelpText(
      'after',
      '\nExit code: 0 no error (there may be warnings), 1 errors, 2 the file cannot be read.',
    )
    .action(
      session.command(async (file: string, { json, kind }: { json?: true; kind: string }) => {
        const { lintFile } = await import('./lint-file.js');
        return lintFile(file, { json: json === true, kind }, session.terminal);
      }),
    );

  manifest
    .command('import')
    .summary('make a manifest from what another system has (offline)')
    .description(
      'Makes a manifest of one workload from a file of another system, and says of each part what became of it: mapped, weakened, or ' +
        'unsupported. Add the secrets and lint it.',
    )
    .argument(
      '<kind>',
      'akv-policy, anjuna-authorize, anjuna-manifest, fortanix-builds, gramine-env, gramine-sigstruct-view, gsc-info-image, maa-policy, marblerun, scone-session, sigstruct, trustee-policy',
    )
    .argument('<file>', '"-" reads standard input')
    .option('--workload <name>', 'name of the workload', 'imported')
    .option(
      '--by <what>',
      'enclave: exactly this build; signer: all builds of its signer and product',
      'enclave',
    )
    .option(
      '--accept <path>',
      'live with this part being weakened or unsupported; may be given several times',
      (path: string, earlier: readonly string[]) => [...earlier, path],
      [] as readonly string[],
    )
    .option(
      '--value <name=value>',
      'fill in a variable of a template (scone-session); may be given several times',
      (pair: string, earlier: readonly string[]) => [...earlier, pair],
      [] as readonly string[],
    )
    .option('--json', 'print {manifest, report}')
    .addHelpText(
      'after',
      `
Exit code: 0 all is mapped or accepted, 1 something is not, 2 the file cannot be read.

Examples:
  $ gramine-sgx-sigstruct-view --output-format json app.sig | siegel manifest import gramine-sigstruct-view - --workload app
  $ siegel manifest import gramine-env verifier.env > manifest.yaml`,
    )
    .action(
      session.command(async (kind: string, file: string, options: ImportOptions) => {
        const { importFile } = await import('./import/import-file.js');
        return importFile(kind, file, options, session.terminal);
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
