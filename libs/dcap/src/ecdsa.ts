import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { DerReader, TAG, unsignedBytes } from './der.js';
import { DcapError } from './error.js';

/** SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point (RFC 5480 §2). */
const P256_SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const P256_SPKI_LENGTH = P256_SPKI_PREFIX.length + 64;

/** Whether an SPKI is that of an uncompressed P-256 point; says nothing of the point itself. */
export function isP256Spki(spki: Buffer): boolean {
  return (
    spki.length === P256_SPKI_LENGTH && spki.subarray(0, P256_SPKI_PREFIX.length).equals(P256_SPKI_PREFIX)
  );
}

/** The SPKI of the point X‖Y. */
export function p256Spki(point: Buffer): Buffer {
  return Buffer.concat([P256_SPKI_PREFIX, point], P256_SPKI_LENGTH);
}

/** Imports a P-256 SPKI; a point that is not on the curve is refused with `code`. */
export function importP256(spki: Buffer, code: 'KEY_INVALID' | 'ATTESTATION_KEY_INVALID'): KeyObject {
  if (isP256Spki(spki)) {
    try {
      return createPublicKey({ key: spki, format: 'der', type: 'spki' });
    } catch {
      // Not a point of the curve: refused below, without OpenSSL's words.
    }
  }
  throw new DcapError(code, 'the key is not a point of P-256');
}

/**
 * ECDSA with P-256 and SHA-256 over `data`; the signature is r‖s. High s is as valid as low s: half of all real quotes
 * have it.
 */
export function verifyP256(key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  try {
    return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

/** Ecdsa-Sig-Value (RFC 3279 §2.2.3), strict DER, as r‖s. Throws DcapError DER_INVALID. */
export function rawSignature(der: Buffer): Buffer {
  const reader = DerReader.inside(DerReader.only(der, TAG.sequence));
  const raw = Buffer.alloc(64);
  for (const end of [32, 64]) {
    const bytes = unsignedBytes(reader.next(TAG.integer));
    if (bytes.length > 32) throw new DcapError('DER_INVALID', 'DER: a signature out of range');
    bytes.copy(raw, end - bytes.length);
  }
  reader.end();
  return raw;
}
