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

/**
 * A P-256 public key that verifies ECDSA with SHA-256 over signatures r‖s. High s is as valid as low s: half of all
 * real quotes have it.
 *
 * The first verification gives the encoded key to OpenSSL, which is cheaper than importing it; a key that is used
 * again is imported. A point that is not on the curve is found at the first use, or by {@link P256PublicKey.check}.
 */
export class P256PublicKey {
  private imported: KeyObject | undefined;
  private used = false;

  constructor(
    readonly spki: Buffer,
    private readonly code: 'KEY_INVALID' | 'ATTESTATION_KEY_INVALID',
  ) {}

  /** Imports the key. Throws DcapError with the code of the key unless it is a point of P-256. */
  check(): this {
    this.import();
    return this;
  }

  /** Throws DcapError with the code of the key unless it is a point of P-256. */
  verify(data: Uint8Array, signature: Uint8Array): boolean {
    if (signature.length !== 64) return false;
    if (this.imported === undefined && !this.used) {
      this.used = true;
      try {
        return verify(
          'sha256',
          data,
          { key: this.spki, format: 'der', type: 'spki' },
          derSignature(signature),
        );
      } catch {
        // The key or the signature is at fault: importing the key tells which.
      }
    }
    const key = this.import();
    try {
      return verify('sha256', data, key, derSignature(signature));
    } catch {
      return false;
    }
  }

  private import(): KeyObject {
    if (this.imported !== undefined) return this.imported;
    if (isP256Spki(this.spki)) {
      try {
        return (this.imported = createPublicKey({ key: this.spki, format: 'der', type: 'spki' }));
      } catch {
        // Not a point of the curve: refused below, without OpenSSL's words.
      }
    }
    throw new DcapError(this.code, 'the key is not a point of P-256');
  }
}

/**
 * r‖s as Ecdsa-Sig-Value (RFC 3279 §2.2.3). Done here and not by `dsaEncoding: 'ieee-p1363'`, because Node's own conversion costs
 * 20 µs, a third of the verification.
 */
export function derSignature(raw: Uint8Array): Buffer {
  const [r, s] = [integerOf(raw, 0), integerOf(raw, 32)];
  const der = Buffer.allocUnsafe(6 + r.length + s.length);
  let at = 0;
  der[at++] = TAG.sequence;
  der[at++] = 4 + r.length + s.length;
  for (const { start, zero, length } of [r, s]) {
    der[at++] = TAG.integer;
    der[at++] = length;
    if (zero) der[at++] = 0;
    der.set(raw.subarray(start, start + length - zero), at);
    at += length - zero;
  }
  return der;
}

/** Where the minimal DER INTEGER of 32 unsigned octets begins, and whether it needs a leading zero. */
function integerOf(raw: Uint8Array, offset: number): { start: number; zero: 0 | 1; length: number } {
  let start = offset;
  while (start < offset + 31 && raw[start] === 0) start++;
  const zero = (raw[start] ?? 0) >= 0x80 ? 1 : 0;
  return { start, zero, length: offset + 32 - start + zero };
}

/** Ecdsa-Sig-Value (RFC 3279 §2.2.3), strict DER, as r‖s. Throws DcapError DER_INVALID. */
export function rawSignature(der: Buffer): Buffer {
  const reader = DerReader.inside(DerReader.exactly(der, TAG.sequence));
  const raw = Buffer.alloc(64);
  for (const end of [32, 64]) {
    const bytes = unsignedBytes(reader.next(TAG.integer));
    if (bytes.length > 32) throw new DcapError('DER_INVALID', 'DER: a signature out of range');
    bytes.copy(raw, end - bytes.length);
  }
  reader.end();
  return raw;
}
