import type { Command } from 'commander';
import type { Session } from '../session.js';

export interface VerifyOptions {
  readonly collateral: string;
  readonly at: string;
  readonly trustRoot?: string;
  readonly grace?: string;
  readonly json?: true;
}

export function registerVerify(program: Command, session: Session): void {
  program
    .command('verify')
    .helpGroup('Quotes and collateral (offline):')
    .summary('verify an SGX or TDX quote with its collateral')
    .description(
      'Verifies an ECDSA quote (version 3, 4 or 5; SGX or TDX) offline: signatures, certificate chain to the Intel root, ' +
        'revocation, TCB level, quoting enclave, dates. The verdict is cryptographic; whether a status is good enough is for a manifest to say.',
    )
    .argument('<quote>', 'the quote: binary, hex or base64 text; "-" reads standard input')
    .requiredOption(
      '--collateral <bundle.json>',
      'collateral bundle: TCB info, QE identity, CRLs, issuer chains',
    )
    .requiredOption(
      '--at <time>',
      'the time for which to verify, ISO 8601 with zone, e.g. 2025-09-08T05:50:18Z',
    )
    .option('--trust-root <pem>', 'trust this root instead of Intel’s (simulated or pre-production evidence)')
    .option('--grace <seconds>', 'accept collateral this long after its expiry (default: 0)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Exit code: 0 verified, 1 not verified, 2 the command was not understood or a file cannot be read.

Examples:
  $ siegel verify quote.bin --collateral collateral.json --at 2025-09-08T05:50:18Z
  $ xxd -p quote.bin | siegel verify - --collateral collateral.json --at "$(date -u +%FT%TZ)" --json`,
    )
    .action(
      session.command(async (quote: string, options: VerifyOptions) => {
        const { verifyFile } = await import('./verify-file.js');
        return verifyFile(quote, options, session.terminal);
      }),
    );
}
