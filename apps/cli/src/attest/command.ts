import type { Command } from 'commander';
import { addDeploymentOptions, type DeploymentOptions } from '../deployment/options.js';
import type { Session } from '../session.js';

export interface AttestOptions extends DeploymentOptions {
  readonly quote: string;
  readonly publicKey: string;
  readonly binding: string;
  readonly form?: string;
  readonly workload?: string;
  readonly out?: string;
  readonly json?: true;
}

export function registerAttest(program: Command, session: Session): void {
  const attest = program
    .command('attest')
    .helpGroup('Operating a deployment:')
    .summary('hand in the quote of an enclave that cannot call by itself')
    .description(
      'Hands in quote and public key of an enclave, and writes what it was granted, sealed to that key: nobody but the enclave can ' +
        "read it. For Anjuna's provisioning files (--binding sha512-rsa-der) and whatever else leaves its evidence in files.",
    )
    .requiredOption('--quote <file>', 'the quote as it was written, e.g. APP.quote.bin')
    .requiredOption(
      '--public-key <file>',
      'the key that the quote binds: PEM, DER or base64 of DER, e.g. APP.provision.key',
    )
    .requiredOption('--binding <convention>', 'how the quote binds it; sha512-rsa-der for Anjuna')
    .option(
      '--form <form>',
      'with sha512-rsa-der: jwe (default), or rsa-oaep-256 for a ciphertext of each secret',
    )
    .option('--workload <name>', 'only where a measurement serves several')
    .option('--out <file>', 'write the answer to this new file instead of standard output')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  $ siegel attest --quote APP.quote.bin --public-key APP.provision.key --binding sha512-rsa-der --out APP.release.json
  $ siegel attest --quote APP.quote.bin --public-key APP.provision.key --binding sha512-rsa-der --form rsa-oaep-256`,
    );
  addDeploymentOptions(attest, 'release').action(
    session.command(async (options: AttestOptions) => {
      const { attestFiles } = await import('./attest-files.js');
      return attestFiles(options, session.terminal);
    }),
  );
}
