import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

export interface PrivateSecretInput {
  /** 32 bytes, of the cycle (current or previous). */
  readonly rootSecret: Buffer;
  /** Canonical, see `canonicalUuid`. */
  readonly uuid: string;
  readonly secretName: string;
  readonly marbleType: string;
  /** `DisableSecretBinding`: marbles of any type with this UUID get the same, as before upstream's 1.6. */
  readonly unbound: boolean;
  /** Bytes, at most 8,160. */
  readonly length: number;
}

/**
 * A private symmetric secret of one marble: HKDF-SHA256(ikm = root secret, salt = UUID ‖ name, info = marble type or empty).
 * The same after every restart and on every replica. Source: reference marblerun.md §1.3, vectors crypto-vectors.json.
 */
export function derivePrivateSecret(input: PrivateSecretInput): Buffer {
  const { rootSecret, uuid, secretName, marbleType, unbound, length } = input;
  const info = unbound ? '' : marbleType;
  return Buffer.from(hkdfSync('sha256', keyOf(rootSecret), uuid + secretName, info, length));
}

const keys = new WeakMap<Buffer, KeyObject>();

/** Node makes a key of plain bytes each time, at twice the price of the derivation. */
function keyOf(rootSecret: Buffer): KeyObject {
  const known = keys.get(rootSecret);
  if (known) return known;
  const made = createSecretKey(rootSecret);
  keys.set(rootSecret, made);
  return made;
}

/** HKDF with SHA-256 gives no more than 255 blocks. */
export const MAX_DERIVED_BYTES = 255 * 32;
