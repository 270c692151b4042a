import {
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { bitString, integer, oid, sequence } from './der-writer.js';

/** Order of the P-256 group (FIPS 186-5 / SEC 2). */
export const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

function inverse(value: bigint): bigint {
  let [r0, r1, t0, t1] = [P256_ORDER, value % P256_ORDER, 0n, 1n];
  while (r1 !== 0n) {
    const q = r0 / r1;
    [r0, r1] = [r1, r0 - q * r1];
    [t0, t1] = [t1, t0 - q * t1];
  }
  return ((t0 % P256_ORDER) + P256_ORDER) % P256_ORDER;
}

/** The nonce of RFC 6979 §3.2 for SHA-256 and P-256. */
function deterministicNonce(privateScalar: Buffer, digest: Buffer): bigint {
  const hashed = toBytes(toNumber(digest) % P256_ORDER);
  let v: Buffer = Buffer.alloc(32, 1);
  let k: Buffer = Buffer.alloc(32, 0);
  const mac = (...parts: Uint8Array[]): Buffer => {
    const hmac = createHmac('sha256', k);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  };
  for (const separator of [0, 1]) {
    k = mac(v, Buffer.from([separator]), privateScalar, hashed);
    v = mac(v);
  }
  for (;;) {
    v = mac(v);
    const candidate = toNumber(v);
    if (candidate > 0n && candidate < P256_ORDER) return candidate;
    k = mac(v, Buffer.from([0]));
    v = mac(v);
  }
}

/** The same signature in its other valid form (r, n − s). Real quotes are high-S in half of all cases. */
export function mirrorSignature(raw: Uint8Array): Buffer {
  return Buffer.concat([raw.subarray(0, 32), toBytes(P256_ORDER - toNumber(raw.subarray(32, 64)))]);
}

/** Raw r‖s as the SEQUENCE of two INTEGERs that X.509 carries. */
export function signatureToDer(raw: Uint8Array): Buffer {
  return sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32, 64)));
}

/** SubjectPublicKeyInfo of a P-256 point given as 64 bytes X‖Y (RFC 5480). */
export function p256Spki(point: Uint8Array): Buffer {
  return sequence(
    sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')),
    bitString(Buffer.concat([Buffer.from([4]), point])),
  );
}

/**
 * A P-256 key pair made from 32 bytes of seed. The simulator guards nothing, so the arithmetic of the deterministic
 * signature need not be constant in time; the scalar multiplication is OpenSSL's.
 */
export class P256Key {
  readonly privateKey: KeyObject;
  /** X‖Y, 64 bytes, big-endian. */
  readonly point: Buffer;
  readonly spki: Buffer;
  private readonly scalar: Buffer;

  constructor(seed: Uint8Array) {
    const value = (toNumber(seed) % (P256_ORDER - 1n)) + 1n;
    this.scalar = toBytes(value);
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(this.scalar);
    this.point = ecdh.getPublicKey().subarray(1);
    this.spki = p256Spki(this.point);
    this.privateKey = createPrivateKey({
      format: 'jwk',
      key: {
        kty: 'EC',
        crv: 'P-256',
        d: this.scalar.toString('base64url'),
        x: this.point.subarray(0, 32).toString('base64url'),
        y: this.point.subarray(32).toString('base64url'),
      },
    });
  }

  static random(): P256Key {
    return new P256Key(randomBytes(32));
  }

  /** SHA-1 of the public point: the usual key identifier (RFC 5280 §4.2.1.2). */
  get keyId(): Buffer {
    return createHash('sha1')
      .update(Buffer.from([4]))
      .update(this.point)
      .digest();
  }

  /** Raw r‖s by OpenSSL with a fresh nonce: the fast form for quotes. */
  sign(data: Uint8Array): Buffer {
    return rawSignature(sign('sha256', data, this.privateKey));
  }

  /** Raw r‖s with the nonce of RFC 6979: the same bytes at every run, for certificates, CRLs and TCB documents. */
  signDeterministic(data: Uint8Array): Buffer {
    const digest = createHash('sha256').update(data).digest();
    const nonce = deterministicNonce(this.scalar, digest);
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(toBytes(nonce));
    const r = toNumber(ecdh.getPublicKey().subarray(1, 33)) % P256_ORDER;
    const s = (inverse(nonce) * (toNumber(digest) + r * toNumber(this.scalar))) % P256_ORDER;
    return Buffer.concat([toBytes(r), toBytes(s)]);
  }
}

/** r‖s of the DER that OpenSSL writes by default: asked for r‖s, Node takes more than twice as long. */
function rawSignature(der: Buffer): Buffer {
  const raw = Buffer.alloc(64);
  // SEQUENCE of two INTEGERs, 72 bytes at most, so that every length is one byte.
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1]!;
    const digits = der.subarray(at + 2 + Math.max(0, length - 32), at + 2 + length);
    raw.set(digits, end - digits.length);
    at += 2 + length;
  }
  return raw;
}
