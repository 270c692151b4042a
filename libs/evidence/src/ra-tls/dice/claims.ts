import { hash, timingSafeEqual } from 'node:crypto';
import { CborError, CborReader } from '../cbor-reader.js';
import { EvidenceError } from '../evidence-error.js';

export const MAX_CLAIMS_BYTES = 16 * 1024;
const MAX_CLAIMS = 32;
const MAX_NAME_BYTES = 128;
const PUBKEY_HASH = 'pubkey-hash';

/** IANA Named Information Hash Algorithm Registry. */
const DIGESTS: Readonly<Record<number, { name: 'sha256' | 'sha384' | 'sha512'; bytes: number }>> = {
  1: { name: 'sha256', bytes: 32 },
  7: { name: 'sha384', bytes: 48 },
  8: { name: 'sha512', bytes: 64 },
};

export interface DiceClaims {
  readonly pubkeyHash: { readonly algorithm: 'sha256' | 'sha384' | 'sha512'; readonly digest: Buffer };
  /** All other claims. */
  readonly custom: ReadonlyMap<string, Buffer>;
}

/**
 * Reads the claims of tagged evidence: a CBOR map of text to byte string, with `pubkey-hash` = bytes of [algorithm, digest].
 * Gramine takes claims without `pubkey-hash`, which bind no key; here it is required, as in librats.
 *
 * @throws EvidenceError CLAIMS_MALFORMED, CLAIM_TWICE, PUBKEY_HASH_MISSING, PUBKEY_HASH_MALFORMED
 */
export function readDiceClaims(serialized: Buffer): DiceClaims {
  if (serialized.length > MAX_CLAIMS_BYTES) throw new EvidenceError('CLAIMS_MALFORMED', 'they are too large');
  const custom = new Map<string, Buffer>();
  let entry: Buffer | undefined;
  try {
    const reader = new CborReader(serialized);
    for (let left = reader.map(MAX_CLAIMS); left > 0; left--) {
      const name = reader.text(MAX_NAME_BYTES);
      const value = reader.bytes(MAX_CLAIMS_BYTES);
      if (custom.has(name) || (name === PUBKEY_HASH && entry)) throw new EvidenceError('CLAIM_TWICE', name);
      if (name === PUBKEY_HASH) entry = value;
      else custom.set(name, value);
    }
    reader.end();
  } catch (error) {
    if (error instanceof CborError)
      throw new EvidenceError('CLAIMS_MALFORMED', error.message, { cause: error });
    throw error;
  }
  if (entry === undefined) throw new EvidenceError('PUBKEY_HASH_MISSING');
  return { pubkeyHash: readHashEntry(entry), custom };
}

function readHashEntry(entry: Buffer): DiceClaims['pubkeyHash'] {
  try {
    const reader = new CborReader(entry);
    if (reader.array(2) !== 2) throw new CborError('not two items');
    const digest = DIGESTS[reader.unsigned(0xffff)];
    if (digest === undefined) throw new CborError('a digest other than SHA-256, SHA-384 and SHA-512');
    const bytes = reader.bytes(digest.bytes);
    if (bytes.length !== digest.bytes) throw new CborError('a digest of a wrong length');
    reader.end();
    return { algorithm: digest.name, digest: bytes };
  } catch (error) {
    if (error instanceof CborError)
      throw new EvidenceError('PUBKEY_HASH_MALFORMED', error.message, { cause: error });
    throw error;
  }
}

/** Whether the claims name this key. Constant time. */
export function claimsHoldKey({ pubkeyHash }: DiceClaims, spki: Uint8Array): boolean {
  return timingSafeEqual(hash(pubkeyHash.algorithm, spki, 'buffer'), pubkeyHash.digest);
}
