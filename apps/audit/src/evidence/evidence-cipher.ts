import { SiegelError } from '#contracts';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { EvidenceKey, EvidenceKeys } from './evidence-keys.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALGORITHM = 'aes-256-gcm';

/** A piece of evidence as it is stored. */
export interface SealedEvidence {
  /** Id of the key. */
  key: string;
  sealed: Buffer;
}

/**
 * Evidence at rest: AES-256-GCM with a random nonce, bound to the digest under which it lies. Quotes name machines (PPID), so whoever
 * copies the disk, a backup or the database without the key has nothing; throwing the key away erases all.
 */
export class EvidenceCipher {
  constructor(private readonly keys: EvidenceKeys) {}

  /** Ids of the keys that are at hand. */
  get keyIds(): string[] {
    return [...this.keys.all.keys()];
  }

  has(key: string | undefined): boolean {
    return key === undefined || this.keys.all.has(key);
  }

  seal(sha256: string, bytes: Uint8Array): SealedEvidence {
    const { id, key } = this.keys.current;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(sha256, 'hex'));
    return {
      key: id,
      sealed: Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]),
    };
  }

  /**
   * @param key id of the key; undefined where it was not noted down, as by earlier versions: then every key is tried
   * @throws SiegelError EVIDENCE_KEY_UNKNOWN, EVIDENCE_DAMAGED
   */
  open(sha256: string, key: string | undefined, sealed: Uint8Array): Buffer {
    const candidates = key === undefined ? [...this.keys.all.values()] : [this.keys.all.get(key)];
    let cause: unknown;
    for (const candidate of candidates) {
      if (candidate === undefined)
        throw new SiegelError('EVIDENCE_KEY_UNKNOWN', {
          reason: { code: 'EVIDENCE_KEY_UNKNOWN', message: `it was encrypted under the key ${key}` },
        });
      try {
        return decrypted(sha256, candidate, sealed);
      } catch (error) {
        cause = error;
      }
    }
    throw new SiegelError('EVIDENCE_DAMAGED', { cause });
  }
}

function decrypted(sha256: string, { key }: EvidenceKey, sealed: Uint8Array): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new RangeError('too short');
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(sha256, 'hex'))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
