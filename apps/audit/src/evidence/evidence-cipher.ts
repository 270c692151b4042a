import { ConfigurationError } from '#platform';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

/** What is stored cannot be opened: another key, or somebody changed it. */
export class EvidenceUnreadable extends Error {
  override readonly name = 'EvidenceUnreadable';
}

/**
 * Evidence at rest: AES-256-GCM with a random nonce, bound to the digest under which it lies. Quotes name machines (PPID), so whoever
 * copies the disk or a backup without the key has nothing; throwing the key away erases all.
 */
export class EvidenceCipher {
  constructor(private readonly key: Buffer) {}

  seal(sha256: string, bytes: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.key, nonce).setAAD(Buffer.from(sha256, 'hex'));
    return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws EvidenceUnreadable */
  open(sha256: string, sealed: Uint8Array): Buffer {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new EvidenceUnreadable('too short');
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const decipher = createDecipheriv(ALGORITHM, this.key, bytes.subarray(0, NONCE_BYTES))
      .setAAD(Buffer.from(sha256, 'hex'))
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch (error) {
      throw new EvidenceUnreadable('it is not what was stored, or the key is another', { cause: error });
    }
  }
}

/** Reads the key, 32 bytes in base64, made at first start. @throws ConfigurationError */
export function readOrCreateEvidenceKey(path: string): Buffer {
  const refused = (message: string) =>
    new ConfigurationError([{ variable: 'SIEGEL_AUDIT_EVIDENCE_KEY_FILE', message }]);
  try {
    create(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refused((error as Error).message);
  }
  const { mode } = statSync(path);
  if ((mode & 0o077) !== 0) throw refused(`is readable by others (mode ${(mode & 0o777).toString(8)})`);
  const text = readFileSync(path, 'utf8').trim();
  const key = Buffer.from(text, 'base64');
  if (key.length !== KEY_BYTES || key.toString('base64') !== text)
    throw refused(`does not hold ${KEY_BYTES} bytes in base64`);
  return key;
}

function create(path: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
