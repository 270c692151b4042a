import type { Command } from 'commander';
import type { Session } from '../session.js';

export interface LintOptions {
  readonly strict?: true;
  readonly json?: true;
}
export interface EvalOptions {
  readonly token?: string;
  readonly claims?: string;
  readonly jwks?: string;
  readonly at?: string;
  readonly json?: true;
}
export interface ImportOptions {
  readonly workload: string;
  readonly accept: readonly string[];
  readonly json?: true;
}

const FILE =
  'JSON: the policy, or a key with its release policy as Key Vault shows it; "-" reads standard input';

export function registerPolicy(program: Command, session: Session): void {
  const policy = program
    .command('policy')
    .helpGroup('Operating a deployment:')
    .summary('lint, evaluate and import release policies of Azure Key Vault (offline)')
    .description(
      'Release policies of Azure Key Vault (grammar 1.0.0): what is wrong with one, what it says of a token and why, and what a manifest says instead.',
    );

  policy
    .command('lint')
    .summary('check a release policy')
    .description(
      'Names breaches of the grammar (errors), and what is valid but lets the wrong enclaves pass, or none (warnings).',
    )
    .argument('<file>', FILE)
    .option('--strict', 'fail on warnings too')
    .option('--json', 'print {ok, problems}')
    .addHelpText(
      'after',
      '\nExit code: 0 no error, 1 errors (with --strict: or warnings), 2 the file cannot be read.',
    )
    .action(
      session.command(async (file: string, options: LintOptions) => {
        const { lintPolicy } = await import('./lint-policy.js');
        return lintPolicy(file, options, session.terminal);
      }),
    );

  policy
    .command('eval')
    .summary('evaluate a release policy over the claims of a token')
    .description(
      'Evaluates a release policy and shows every condition with what was expected and what the token says. The signature of the token is ' +
        'checked only with --jwks.',
    )
    .argument('<file>', FILE)
    .option('--token <file>', 'an attestation token (compact JWT); "-" reads standard input')
    .option('--claims <file>', 'the claims of a token as JSON, with "iss"')
    .option('--jwks <file>', 'keys of the issuer: also verify the signature and the times of the token')
    .option('--at <time>', 'with --jwks: verify as of this time (ISO 8601; default: now)')
    .option('--json', 'print {released, authority?, verified, trace, error?}')
    .addHelpText(
      'after',
      `
Example:
  $ siegel policy eval release-policy.json --token token.jwt --jwks maa-certs.json

Exit code: 0 the policy is met, 1 it is not (or the token does not verify), 2 a file cannot be read.`,
    )
    .action(
      session.command(async (file: string, options: EvalOptions) => {
        const { evalPolicy } = await import('./eval-policy.js');
        return evalPolicy(file, options, session.terminal);
      }),
    );

  policy
    .command('import')
    .summary('write a release policy as a manifest')
    .description(
      'Writes a release policy as a manifest and reports for each condition whether the manifest says the same: "siegel manifest import ' +
        'akv-policy".',
    )
    .argument('<file>', FILE)
    .option('--workload <name>', 'name of the workload', 'imported')
    .option(
      '--accept <path>',
      'live with this part being weakened or unsupported; may be given several times',
      (path: string, earlier: readonly string[]) => [...earlier, path],
      [] as readonly string[],
    )
    .option('--json', 'print {manifest, report}')
    .addHelpText(
      'after',
      '\nExit code: 0 all is mapped or accepted, 1 something is not, 2 the file cannot be read.',
    )
    .action(
      session.command(async (file: string, options: ImportOptions) => {
        const { importFile } = await import('../manifest/import/import-file.js');
        return importFile('akv-policy', file, { ...options, by: 'enclave' }, session.terminal);
      }),
    );
}
