import type { AuditorTrust, PublishedFiles } from '#auditor';
import { PkiError, PublicKey, verifyLogDelegation } from '#pki';
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { z } from 'zod';
import { CliError } from '../failure/cli-error.js';
import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_KEY_BYTES = 64 * 1024;
const Published = z.object({ delegations: z.array(z.object({ delegation: z.string().max(4_096) })).max(64) });

/** The authority's public key: PEM, or a JWK as Key Vault shows it. @throws CliError KEYS_INVALID */
export async function readAuthority(file: string, terminal: Terminal): Promise<PublicKey> {
  const text = (await readWhole(file, MAX_KEY_BYTES, terminal)).toString('utf8');
  try {
    const key = text.trimStart().startsWith('{')
      ? createPublicKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' })
      : createPublicKey(text);
    return PublicKey.fromKeyObject(key);
  } catch (error) {
    throw CliError.of('KEYS_INVALID', `"${file}" holds no public key that can sign for a log.`, {
      cause: error,
    });
  }
}

/**
 * Whether the pinned authority (a Key Vault key) delegates to the log key that this auditor is about to believe. One valid delegation
 * is enough: at a rotation of the authority several are published.
 *
 * @throws CliError AUTHORITY_REFUSED
 */
export async function requireDelegation(
  files: PublishedFiles,
  trust: Pick<AuditorTrust, 'origin' | 'keys'>,
  authority: PublicKey,
  now: Date,
): Promise<void> {
  const refuse = (why: string, cause?: unknown): never => {
    throw CliError.of('AUTHORITY_REFUSED', `${trust.origin}: ${why}.`, cause === undefined ? {} : { cause });
  };
  const bytes = await files.read('delegation');
  if (bytes === undefined) return refuse('no delegation is published beside the log');
  const parsed = Published.safeParse(parse(bytes));
  if (!parsed.success) return refuse('what is published is no list of delegations', parsed.error);
  const own = trust.keys.newest;
  let why = 'the list of delegations is empty';
  for (const { delegation } of parsed.data.delegations) {
    try {
      const { vkey } = await verifyLogDelegation(delegation, { authority, origin: trust.origin, now });
      if (vkey === own) return;
      why = 'the authority delegates to another key than the one that signs the log';
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      why = `no delegation holds under this authority (${error.code})`;
    }
  }
  return refuse(why);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
