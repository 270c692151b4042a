import { createCipheriv, createDecipheriv, randomBytes, type CipherKey } from 'node:crypto';
import { VaultError } from '../errors.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What identifies a record. All of it is authenticated with the ciphertext, so that no record can stand in for another. */
export interface RecordIdentity {
  readonly vaultId: string;
  readonly name: string;
  readonly version: string;
  readonly sequence: number;
}

/** Attributes of one version; encrypted together with its value. */
export interface RecordAttributes {
  readonly contentType?: string;
  readonly enabled: boolean;
  /** Unix seconds. */
  readonly notBefore?: number;
  /** Unix seconds. */
  readonly expiresOn?: number;
  /** Unix seconds. */
  readonly createdOn: number;
  /** Unix seconds. */
  readonly updatedOn: number;
  /** Unix seconds; the whole name is soft-deleted. */
  readonly deletedOn?: number;
  readonly tags?: Readonly<Record<string, string>>;
}

/** AES-256-GCM with a fresh random nonce: nonce ‖ ciphertext ‖ tag. */
export function sealRecord(
  key: CipherKey,
  identity: RecordIdentity,
  attributes: RecordAttributes,
  value: Uint8Array,
): Buffer {
  const head = Buffer.from(JSON.stringify(attributes));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(identityBytes(identity));
  return Buffer.concat([
    nonce,
    cipher.update(length),
    cipher.update(head),
    cipher.update(value),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/** @throws VaultError SECRET_TAMPERED */
export function openRecord(
  key: CipherKey,
  identity: RecordIdentity,
  sealed: Uint8Array,
): { attributes: RecordAttributes; value: Buffer } {
  const tampered = (): VaultError =>
    new VaultError('SECRET_TAMPERED', `the stored record of "${identity.name}" does not authenticate`, {
      objectName: identity.name,
      objectVersion: identity.version,
    });
  if (sealed.length < NONCE_BYTES + TAG_BYTES + 4) throw tampered();
  let plain: Buffer;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(identityBytes(identity))
      .setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    plain = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    decipher.final();
  } catch {
    throw tampered();
  }
  const headEnd = 4 + plain.readUInt32BE(0);
  if (headEnd > plain.length) throw tampered();
  const attributes = JSON.parse(plain.toString('utf8', 4, headEnd)) as RecordAttributes;
  // A copy of its own, so that the caller's zeroing reaches every byte and the rest can be zeroed here.
  const value = Buffer.from(plain.subarray(headEnd));
  plain.fill(0);
  return { attributes, value };
}

/** Authenticates the set of records as a whole: none can be taken away, doubled or reordered unseen. */
export function sealDigest(key: Uint8Array, digest: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(digest);
  return Buffer.concat([nonce, cipher.final(), cipher.getAuthTag()]);
}

export function checkSeal(key: Uint8Array, digest: Uint8Array, seal: Uint8Array): boolean {
  if (seal.length !== NONCE_BYTES + TAG_BYTES) return false;
  try {
    createDecipheriv('aes-256-gcm', key, seal.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(digest)
      .setAuthTag(seal.subarray(NONCE_BYTES))
      .final();
    return true;
  } catch {
    return false;
  }
}

// JSON of an array is injective: no two identities share their bytes.
const identityBytes = (identity: RecordIdentity): Buffer =>
  Buffer.from(JSON.stringify([1, identity.vaultId, identity.name, identity.version, identity.sequence]));
