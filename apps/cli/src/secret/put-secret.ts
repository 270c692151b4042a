import { ERROR_CATALOGUE } from '#contracts';
import { CliError } from '../failure/cli-error.js';
import { readBounded } from '../input/bounded-input.js';
import { askHidden } from '../input/ask-hidden.js';
import { printable } from '../terminal/layout.js';
import { styleFor } from '../terminal/style.js';
import type { Terminal } from '../terminal/terminal.js';
import type { PutOptions } from './command.js';
import { checkSecretName, VaultSecrets } from './vault-secrets.js';

/** Key Vault's limit for a secret's value, which the embedded vault keeps as well. */
const MAX_VALUE_BYTES = 25 * 1024;

/** `siegel secret put`. */
export async function putSecret(name: string, options: PutOptions, terminal: Terminal): Promise<number> {
  checkSecretName(name);
  const value = await readValue(name, options, terminal);
  try {
    const stored = await VaultSecrets.use(options, terminal, async (secrets) => ({
      vault: secrets.vault,
      ...(await secrets.put(name, value, options.contentType)),
    }));
    const version = stored.version === undefined ? '' : `, version ${printable(stored.version)}`;
    terminal.out(
      options.json
        ? `${JSON.stringify({ ok: true, ...stored })}\n`
        : `${styleFor(terminal.colour).good('✓')} ${name} is in vault ${stored.vault}${version}\n`,
    );
    return 0;
  } finally {
    value.fill(0);
  }
}

async function readValue(name: string, options: PutOptions, terminal: Terminal): Promise<Buffer> {
  const ask = options.file === undefined && terminal.stdin.isTTY === true;
  const { bytes, truncated } = ask
    ? { bytes: await askHidden(`Value of ${name}: `, terminal), truncated: false }
    : await readBounded(options.file ?? '-', MAX_VALUE_BYTES + 2, terminal);
  const value = options.stripNewline ? withoutLineEnd(bytes) : bytes;
  if (truncated || value.length > MAX_VALUE_BYTES) {
    const { remedy } = ERROR_CATALOGUE.SECRET_INVALID;
    throw CliError.of('FILE_TOO_LARGE', `The value is larger than ${MAX_VALUE_BYTES} bytes.`, { remedy });
  }
  if (value.length === 0) throw CliError.of('USAGE', 'The value is empty; nothing was stored.');
  return value;
}

function withoutLineEnd(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== 0x0a) return bytes;
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1);
}
