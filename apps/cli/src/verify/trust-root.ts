import { trustAnchorFromPem, type TrustAnchor } from '#dcap';
import { CliError } from '../failure/cli-error.js';
import { named, readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_ROOT_FILE_BYTES = 64 * 1024;

/**
 * The root that `--trust-root` pins in place of Intel's. It counts as simulated: whatever chains to it was not
 * endorsed by Intel, and the report says so.
 */
export async function readTrustRoot(file: string, terminal: Terminal): Promise<TrustAnchor> {
  if (file === '-') throw CliError.of('USAGE', '--trust-root names a file; standard input is for the quote.');
  const pem = (await readWhole(file, MAX_ROOT_FILE_BYTES, terminal)).toString('latin1');
  try {
    return trustAnchorFromPem(pem, { id: 'custom', simulated: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw CliError.of('TRUST_ROOT_INVALID', `${named(file)} is not a usable root: ${why}.`, { cause: error });
  }
}
