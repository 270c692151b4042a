import {
  constants,
  createECDH,
  createHash,
  privateEncrypt,
  publicDecrypt,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { privateKeyOf, publicKeyOf, type KeyData } from './key-material.js';
import { badParameter } from './wire.js';

interface Curve {
  readonly alg: string;
  readonly name: string;
  readonly bytes: number;
  readonly order: bigint;
}

const CURVES: Record<string, Curve> = {
  'P-256': {
    alg: 'ES256',
    name: 'prime256v1',
    bytes: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  secp256k1: {
    alg: 'ES256K',
    name: 'secp256k1',
    bytes: 32,
    order: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  },
  'P-384': {
    alg: 'ES384',
    name: 'secp384r1',
    bytes: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  'P-521': {
    alg: 'ES512',
    name: 'secp521r1',
    bytes: 66,
    order:
      0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
};
const HASH_BYTES: Record<string, number> = { '256': 32, '256K': 32, '384': 48, '512': 64 };
const DIGEST_INFO: Record<string, string> = {
  '256': '3031300d060960864801650304020105000420',
  '384': '3041300d060960864801650304020205000430',
  '512': '3051300d060960864801650304020305000440',
};

/**
 * Signs a digest that the client computed, which is all that Key Vault ever sees. Node signs messages only, so ECDSA is put together here
 * from the curve operations of its ECDH: good enough for a test server, and for nothing that keeps secrets.
 */
export function signDigest(key: KeyData, alg: string, digest: Buffer): Buffer {
  const [scheme, bits] = schemeOf(key, alg, digest);
  if (scheme === 'RS')
    return rawRsa(key, Buffer.concat([Buffer.from(DIGEST_INFO[bits] ?? '', 'hex'), digest]), true);
  if (scheme === 'PS') return rawRsa(key, encodePss(digest, bits, modulusBytes(key)), false);
  const { curve, d } = curveOf(key, alg);
  for (;;) {
    const k = BigInt(`0x${randomBytes(curve.bytes + 8).toString('hex')}`) % curve.order;
    const r = k === 0n ? 0n : xOf(curve, k) % curve.order;
    const s = k === 0n ? 0n : (inverse(k, curve.order) * (truncated(digest, curve) + r * d)) % curve.order;
    if (r !== 0n && s !== 0n) return Buffer.concat([toBytes(r, curve.bytes), toBytes(s, curve.bytes)]);
  }
}

export function verifyDigest(key: KeyData, alg: string, digest: Buffer, signature: Buffer): boolean {
  const [scheme, bits] = schemeOf(key, alg, digest);
  if (scheme === 'ES') return verifyEcdsa(key, alg, digest, signature);
  const publicKey = publicKeyOf(key);
  try {
    if (scheme === 'RS') {
      const opened = publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
      return opened.equals(Buffer.concat([Buffer.from(DIGEST_INFO[bits] ?? '', 'hex'), digest]));
    }
    const encoded = publicDecrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, signature);
    return checkPss(encoded, digest, bits);
  } catch {
    return false;
  }
}

function schemeOf(key: KeyData, alg: string, digest: Buffer): [string, string] {
  const match = /^(RS|PS|ES)(256K|256|384|512)$/.exec(alg);
  const expected = match?.[1] === 'ES' ? 'EC' : 'RSA';
  if (match === null || key.kty !== expected)
    throw badParameter(`Algorithm ${alg} is not supported by this key.`);
  const [, scheme = '', bits = ''] = match;
  if (digest.length !== HASH_BYTES[bits]) {
    throw badParameter(
      `Invalid length of digest: ${digest.length} bytes. The chosen algorithm requires ${HASH_BYTES[bits]} bytes.`,
    );
  }
  return [scheme, bits];
}

function curveOf(key: KeyData, alg: string): { curve: Curve; d: bigint } {
  const { crv = '', d = '' } = privateKeyOf(key).export({ format: 'jwk' });
  const curve = CURVES[crv];
  if (curve === undefined || curve.alg !== alg)
    throw badParameter(`Algorithm ${alg} does not fit curve ${crv}.`);
  return { curve, d: BigInt(`0x${Buffer.from(d, 'base64url').toString('hex')}`) };
}

/** u1·G + u2·Q is (u1 + u2·d)·G, and this server knows d. */
function verifyEcdsa(key: KeyData, alg: string, digest: Buffer, signature: Buffer): boolean {
  const { curve, d } = curveOf(key, alg);
  if (signature.length !== 2 * curve.bytes) return false;
  const [r, s] = [signature.subarray(0, curve.bytes), signature.subarray(curve.bytes)].map((part) =>
    BigInt(`0x${part.toString('hex')}`),
  ) as [bigint, bigint];
  if (r === 0n || s === 0n || r >= curve.order || s >= curve.order) return false;
  const w = inverse(s, curve.order);
  const scalar = (truncated(digest, curve) * w + r * w * d) % curve.order;
  return scalar !== 0n && xOf(curve, scalar) % curve.order === r;
}

function xOf(curve: Curve, scalar: bigint): bigint {
  const ecdh = createECDH(curve.name);
  ecdh.setPrivateKey(toBytes(scalar, curve.bytes));
  return BigInt(
    `0x${ecdh
      .getPublicKey()
      .subarray(1, 1 + curve.bytes)
      .toString('hex')}`,
  );
}

/** The leftmost bits of the digest, as many as the order has (P-521 takes a 512-bit digest whole). */
const truncated = (digest: Buffer, curve: Curve): bigint =>
  BigInt(`0x${digest.subarray(0, curve.bytes).toString('hex')}`) % curve.order;

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n];
  while (b !== 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

const toBytes = (value: bigint, length: number): Buffer =>
  Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex');

const modulusBytes = (key: KeyData): number =>
  (publicKeyOf(key).asymmetricKeyDetails?.modulusLength ?? 0) / 8;

const rawRsa = (key: KeyData, block: Buffer, pkcs1: boolean): Buffer =>
  privateEncrypt(
    { key: privateKeyOf(key), padding: pkcs1 ? constants.RSA_PKCS1_PADDING : constants.RSA_NO_PADDING },
    block,
  );

/** EMSA-PSS of RFC 8017 §9.1 with a salt as long as the hash; the modulus has a whole number of bytes. */
function encodePss(digest: Buffer, bits: string, length: number): Buffer {
  const hash = `sha${bits}`;
  const salt = randomBytes(digest.length);
  const h = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest();
  const db = Buffer.concat([Buffer.alloc(length - 2 * digest.length - 2), Buffer.from([1]), salt]);
  const masked = xor(db, mgf1(hash, h, db.length));
  masked[0] = (masked[0] ?? 0) & 0x7f;
  return Buffer.concat([masked, h, Buffer.from([0xbc])]);
}

function checkPss(encoded: Buffer, digest: Buffer, bits: string): boolean {
  const hash = `sha${bits}`;
  if (encoded.at(-1) !== 0xbc) return false;
  const h = encoded.subarray(-1 - digest.length, -1);
  const db = xor(encoded.subarray(0, -1 - digest.length), mgf1(hash, h, encoded.length - digest.length - 1));
  db[0] = (db[0] ?? 0) & 0x7f;
  const one = db.indexOf(1);
  if (one < 0 || db.subarray(0, one).some((byte) => byte !== 0)) return false;
  const expected = createHash(hash)
    .update(Buffer.alloc(8))
    .update(digest)
    .update(db.subarray(one + 1))
    .digest();
  return timingSafeEqual(expected, h);
}

function mgf1(hash: string, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let counter = 0, made = 0; made < length; counter++) {
    const suffix = Buffer.alloc(4);
    suffix.writeUInt32BE(counter);
    const block = createHash(hash).update(seed).update(suffix).digest();
    blocks.push(block);
    made += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
