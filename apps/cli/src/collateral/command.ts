import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

/** By what a bundle is judged. */
export interface JudgementOptions {
  readonly trustRoot?: string;
  readonly grace?: string;
}
export interface ShowOptions extends DeploymentOptions, JudgementOptions {
  readonly json?: true;
}
export interface FetchOptions extends JudgementOptions {
  readonly output: string;
  readonly fmspc?: string;
  readonly ca?: string;
  readonly tee: string;
  readonly quote?: string;
  readonly source: string;
  readonly sourceCa?: string;
  readonly update?: string;
  readonly tcbEvaluationDataNumber?: string;
  readonly timeout?: string;
  readonly json?: true;
}
export interface ImportOptions extends DeploymentOptions, JudgementOptions {
  readonly bundleDir?: string;
  readonly json?: true;
}

export function registerCollateral(program: Command, session: Session): void {
  const collateral = program
    .command('collateral')
    .helpGroup('Operating a deployment:')
    .summary('fetch, look at and import collateral')
    .description(
      'Collateral is what Intel publishes about platforms: TCB info, QE identity, revocation lists. A bundle is a file with all of it ' +
        'for one kind of platform.',
    );
  registerFetch(collateral, session);
  registerShow(collateral, session);
  registerImport(collateral, session);
}

function judgement(command: Command): Command {
  return command
    .option(
      '--trust-root <pem>',
      'trust this root instead of Intel’s (simulated or pre-production platforms)',
    )
    .option('--grace <seconds>', 'accept collateral this long after its expiry (default: 0)');
}

function registerFetch(collateral: Command, session: Session): void {
  const fetch = collateral
    .command('fetch')
    .summary('fetch a bundle from Intel, a PCCS or Azure')
    .description(
      'Fetches the collateral of one kind of platform and writes it as a bundle, after its signatures, chains, revocation lists and dates ' +
        'have been verified. Needs no deployment.',
    )
    .requiredOption('-o, --output <bundle.json>', 'where the bundle goes; "-" is standard output')
    .option('--fmspc <hex>', 'the kind of platform: 12 hex digits')
    .option('--ca <name>', 'the CA of its PCK certificates: platform or processor')
    .option('--tee <name>', 'sgx or tdx', 'sgx')
    .option('--quote <file>', 'take FMSPC, CA and TEE from this quote')
    .option(
      '--source <name>',
      'pcs, pccs, thim, or the address of a PCCS; addresses as for the verifier (SIEGEL_PCS_URL, SIEGEL_PCCS_URL, SIEGEL_THIM_URLS)',
      'pcs',
    )
    .option('--source-ca <pem>', 'a further CA for the certificate of the source (SIEGEL_COLLATERAL_CA_FILE)')
    .option('--update <channel>', 'standard or early (default: standard)')
    .option('--tcb-evaluation-data-number <n>', 'this edition, in place of a channel')
    .option('--timeout <seconds>', 'longest time for each request (default: 15)');
  judgement(fetch)
    .option('--json', 'print one JSON object about the bundle')
    .addHelpText(
      'after',
      `
Examples:
  $ siegel collateral fetch --fmspc 00606a000000 --ca platform -o bundle.json
  $ siegel collateral fetch --quote quote.bin --source https://pccs.local:8081 -o bundle.json`,
    )
    .action(
      session.command(async (options: FetchOptions) => {
        const { fetchCollateral } = await import('./fetch-collateral.js');
        return fetchCollateral(options, session.terminal);
      }),
    );
}

function registerShow(collateral: Command, session: Session): void {
  const show = collateral
    .command('show')
    .summary('list what the verifier holds, or look at a bundle')
    .description(
      'Lists the collateral that the quote-verifier holds: for which platforms, how new, until when it is good. With a file: the same of a bundle, ' +
        'verified without a deployment.',
    )
    .argument('[bundle.json]', 'a bundle in place of the verifier; "-" reads standard input');
  addDeploymentOptions(judgement(show).option('--json', 'print one JSON object'), 'verifier').action(
    session.command(async (file: string | undefined, options: ShowOptions) => {
      if (file !== undefined) {
        const { showBundle } = await import('./show-bundle.js');
        return showBundle(file, options, session.terminal);
      }
      const { showCollateral } = await import('./show-collateral.js');
      return showCollateral(options, session.terminal);
    }),
  );
}

function registerImport(collateral: Command, session: Session): void {
  const load = collateral
    .command('import')
    .summary('give a bundle to the verifier of a deployment')
    .description(
      'Verifies a bundle and puts it into the folder of bundles of a quote-verifier on this machine, which looks at it at once. Who may write there is ' +
        'a matter of the file system: the service has no endpoint that takes collateral.',
    )
    .argument('<bundle.json>', '"-" reads standard input')
    .option('--bundle-dir <folder>', 'the folder of bundles (default: that of siegel.json)');
  addDeploymentOptions(judgement(load).option('--json', 'print one JSON object'), 'verifier').action(
    session.command(async (file: string, options: ImportOptions) => {
      const { importCollateral } = await import('./import-collateral.js');
      return importCollateral(file, options, session.terminal);
    }),
  );
}
