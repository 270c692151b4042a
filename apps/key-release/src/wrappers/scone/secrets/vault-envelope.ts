import { createDecipheriv } from 'node:crypto';
import { SecretProblem } from './made-secret.js';

const FORMAT = 0x00a1;
const VERSION = 0x0002;
const HEADER_BYTES = 6;
const IV_BYTES = 12;
const TAG_BYTES = 16;
export const ENVELOPE_KEY_BYTES = 32;
/** More than a vault can keep. */
const MAX_BYTES = 65_535;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Opens what `import_akv` with a `decryption_key` finds in a vault: base64 of 0x00A1, 0x0002, a length (each 16 bits, big endian), an
 * initialization vector of 12 bytes, ciphertext and tag of AES-256-GCM. Source: reference/commercial.md §2.1.
 *
 * What the length counts is not documented: the vector, the ciphertext, it with its tag, or all that follows. One of these it must be; that
 * nothing was cut or changed is what the tag says.
 *
 * @throws SecretProblem SCONE_ENVELOPE_INVALID, SCONE_SECRET_INVALID for a key of another size
 */
export function openEnvelope(name: string, text: string, key: Uint8Array): Buffer {
  if (key.length !== ENVELOPE_KEY_BYTES)
    throw new SecretProblem(
      'SCONE_SECRET_INVALID',
      `the decryption key of "${name}" has ${key.length} bytes instead of ${ENVELOPE_KEY_BYTES}`,
    );
  const written = text.trim();
  if (written.length > MAX_BYTES * 2 || !BASE64.test(written)) throw invalid(name, 'is not base64');
  const envelope = Buffer.from(written, 'base64');
  const ciphertextBytes = envelope.length - HEADER_BYTES - IV_BYTES - TAG_BYTES;
  if (ciphertextBytes < 0) throw invalid(name, 'is too short');
  if (ciphertextBytes > MAX_BYTES) throw invalid(name, 'is too long');
  if (envelope.readUInt16BE(0) !== FORMAT) throw invalid(name, 'does not begin with 00a1');
  if (envelope.readUInt16BE(2) !== VERSION) throw invalid(name, 'is not of version 0002');
  const followed = envelope.length - HEADER_BYTES;
  const lengths = [IV_BYTES, ciphertextBytes, ciphertextBytes + TAG_BYTES, followed];
  if (!lengths.includes(envelope.readUInt16BE(4))) throw invalid(name, 'has another length than it says');
  const ciphertext = envelope.subarray(HEADER_BYTES + IV_BYTES, -TAG_BYTES);
  const iv = envelope.subarray(HEADER_BYTES, HEADER_BYTES + IV_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(envelope.subarray(-TAG_BYTES));
  const opened = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch {
    opened.fill(0);
    throw invalid(name, 'was changed, or encrypted with another key');
  }
  return opened;
}

const invalid = (name: string, why: string): SecretProblem =>
  new SecretProblem('SCONE_ENVELOPE_INVALID', `the encrypted value of "${name}" ${why}`);
