import type { Command } from 'commander';
import type { Session } from '../session.js';

export interface TokenOptions {
  readonly issuer: string;
  readonly jwks: string;
  readonly kind: string;
  readonly mrenclave: readonly string[];
  readonly mrsigner: readonly string[];
  readonly isvprodid?: string;
  readonly minIsvsvn?: string;
  readonly mrtd: readonly string[];
  readonly workload: readonly string[];
  readonly tenant?: string;
  readonly audience?: string;
  readonly tcb: readonly string[];
  readonly unstatedTcb?: true;
  readonly refuseAdvisory: readonly string[];
  readonly allowDebug?: true;
  readonly allowSimulated?: true;
  readonly key?: string;
  readonly runtimeData?: string;
  readonly reportData?: string;
  readonly unbound?: true;
  readonly nonce?: string;
  readonly at?: string;
  readonly skew?: string;
  readonly maxAge?: string;
  readonly json?: true;
}

const several = (value: string, earlier: readonly string[]): readonly string[] => [...earlier, value];
const none: readonly string[] = [];

export function registerToken(program: Command, session: Session): void {
  const token = program
    .command('token')
    .helpGroup('Quotes and collateral (offline):')
    .summary('verify an attestation token (offline)')
    .description(
      "Attestation tokens: Siegel's own, and those in the protocol of Microsoft Azure Attestation.",
    );

  token
    .command('verify')
    .summary('verify an attestation token as a relying party must')
    .description(
      'Verifies signature, times, enclave, platform and binding of a token with pinned keys of its issuer. Keys that the token itself names are ' +
        'never used. What is not required is said out loud: without a measurement or signer, and without a binding, nothing is verified.',
    )
    .argument('<token>', 'file with the compact token; "-" reads standard input')
    .requiredOption('--issuer <url>', 'the issuer, exactly as its tokens have it')
    .requiredOption('--jwks <file>', 'its keys: what its /certs or /.well-known/jwks.json serves')
    .option('--kind <siegel|maa>', 'whose format the token has', 'siegel')
    .option('--mrenclave <hex>', 'accepted measurement; may be given several times', several, none)
    .option('--mrsigner <hex>', 'accepted signer; with --isvprodid and --min-isvsvn', several, none)
    .option('--isvprodid <number>', 'its product')
    .option('--min-isvsvn <number>', 'its least security version')
    .option('--mrtd <hex>', 'accepted measurement of a TD', several, none)
    .option('--workload <name>', "accepted workload (Siegel's own tokens)", several, none)
    .option('--tenant <name>', 'its tenant (default, with --workload: default)')
    .option('--audience <name>', "audience (default: siegel for Siegel's own tokens, none for the others)")
    .option('--tcb <status>', 'accepted TCB status (default: UpToDate and SWHardeningNeeded)', several, none)
    .option('--unstated-tcb', "also accept tokens without TCB status, as Microsoft's for SGX")
    .option('--refuse-advisory <id>', 'refuse platforms to which this advisory applies', several, none)
    .option('--allow-debug', 'also accept debug enclaves')
    .option('--allow-simulated', 'also accept simulated evidence')
    .option('--key <file>', 'public key that the token must be bound to: PEM or JWK')
    .option('--runtime-data <file>', 'data that the evidence must bind')
    .option('--report-data <hex>', 'report data that the evidence must have')
    .option('--unbound', 'check no binding: whoever shows the token is believed')
    .option('--nonce <text>', 'nonce that the token must repeat')
    .option('--at <time>', 'judge by this time instead of now, ISO 8601 with zone')
    .option('--skew <seconds>', 'allowed difference of clocks (60)')
    .option('--max-age <seconds>', 'greatest age of the token (900)')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Exit code: 0 believed, 1 refused, 2 the command was not understood or a file cannot be read.

Example:
  $ siegel token verify token.jwt --kind maa --issuer https://attest.shop.example --jwks certs.json \\
      --mrenclave 4b1d...c0 --runtime-data held.bin`,
    )
    .action(
      session.command(async (file: string, options: TokenOptions) => {
        const { verifyToken } = await import('./verify-token.js');
        return verifyToken(file, options, session.terminal);
      }),
    );
}
