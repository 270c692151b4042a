import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';

const EDDSA = 22;
const ECDH = 18;
const SHA256 = 8;
const AES256 = 9;
/** OIDs of the curves, without identifier and length: RFC 4880bis §9.2. */
const ED25519 = Buffer.from('2b06010401da470f01', 'hex');
const CURVE25519 = Buffer.from('2b060104019755010501', 'hex');
const TAG = { secretKey: 5, publicKey: 6, secretSubkey: 7, userId: 13, publicSubkey: 14, signature: 2 };

/** Transferable keys of one pair (RFC 4880 §11), base64. */
export interface PgpKey {
  readonly secretKey: string;
  readonly publicKey: string;
}

/**
 * An OpenPGP key as the language has it: Ed25519 to certify and sign, Curve25519 to encrypt, version 4, without a passphrase and without
 * an end.
 */
export function makePgpKey(name: string, now: Date): PgpKey {
  const created = uint32(Math.floor(now.getTime() / 1_000));
  const signing = generateKeyPairSync('ed25519').privateKey;
  const encrypting = generateKeyPairSync('x25519').privateKey;
  const primary = keyBody(created, EDDSA, ED25519, signing);
  const subkey = keyBody(created, ECDH, CURVE25519, encrypting, Buffer.of(3, 1, SHA256, AES256));
  const userId = Buffer.from(name, 'utf8');
  const fingerprint = hash('sha1', framed(primary.public), 'buffer');
  const selfSigned = signature(signing, fingerprint, created, 0x13, 0x03, [
    framed(primary.public),
    Buffer.concat([Buffer.of(0xb4), uint32(userId.length), userId]),
  ]);
  const bound = signature(signing, fingerprint, created, 0x18, 0x0c, [
    framed(primary.public),
    framed(subkey.public),
  ]);
  const parts = (secret: boolean): string =>
    Buffer.concat([
      packet(secret ? TAG.secretKey : TAG.publicKey, secret ? primary.secret : primary.public),
      packet(TAG.userId, userId),
      packet(TAG.signature, selfSigned),
      packet(secret ? TAG.secretSubkey : TAG.publicSubkey, secret ? subkey.secret : subkey.public),
      packet(TAG.signature, bound),
    ]).toString('base64');
  return { secretKey: parts(true), publicKey: parts(false) };
}

function keyBody(created: Buffer, algorithm: number, oid: Buffer, key: KeyObject, more = Buffer.alloc(0)) {
  const { d = '', x = '' } = key.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(0x40), Buffer.from(x, 'base64url')]);
  const publicPart = Buffer.concat([
    Buffer.of(4),
    created,
    Buffer.of(algorithm, oid.length),
    oid,
    integer(point),
    more,
  ]);
  // The secret of Curve25519 is written as an integer, its bytes in reverse and clamped (RFC 4880bis §13.3).
  const raw = Buffer.from(d, 'base64url');
  const secret = integer(algorithm === ECDH ? clamped(raw).reverse() : raw);
  let sum = 0;
  for (const byte of secret) sum = (sum + byte) & 0xffff;
  return {
    public: publicPart,
    // 0: not encrypted; then a checksum of two bytes.
    secret: Buffer.concat([publicPart, Buffer.of(0), secret, Buffer.of(sum >> 8, sum & 0xff)]),
  };
}

function clamped(raw: Buffer): Buffer {
  const scalar = Buffer.from(raw);
  scalar[0]! &= 248;
  scalar[31]! &= 127;
  scalar[31]! |= 64;
  return scalar;
}

/** A signature packet, version 4 (RFC 4880 §5.2.3), with issuer and key flags. */
function signature(
  key: KeyObject,
  fingerprint: Buffer,
  created: Buffer,
  type: number,
  flags: number,
  over: readonly Buffer[],
): Buffer {
  const hashed = Buffer.concat([
    subpacket(2, created),
    subpacket(27, Buffer.of(flags)),
    subpacket(33, Buffer.concat([Buffer.of(4), fingerprint])),
  ]);
  const unhashed = subpacket(16, fingerprint.subarray(12));
  const head = Buffer.concat([Buffer.of(4, type, EDDSA, SHA256), uint16(hashed.length), hashed]);
  const digest = hash(
    'sha256',
    Buffer.concat([...over, head, Buffer.of(4, 0xff), uint32(head.length)]),
    'buffer',
  );
  const made = sign(null, digest, key);
  return Buffer.concat([
    head,
    uint16(unhashed.length),
    unhashed,
    digest.subarray(0, 2),
    integer(made.subarray(0, 32)),
    integer(made.subarray(32)),
  ]);
}

/** How a key is put into a hash (RFC 4880 §5.2.4). */
const framed = (body: Buffer): Buffer => Buffer.concat([Buffer.of(0x99), uint16(body.length), body]);
const subpacket = (type: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.of(body.length + 1, type), body]);

/** New format (RFC 4880 §4.2.2), bodies below 8,384 bytes. */
function packet(tag: number, body: Buffer): Buffer {
  const length =
    body.length < 192
      ? Buffer.of(body.length)
      : Buffer.of(((body.length - 192) >> 8) + 192, (body.length - 192) & 0xff);
  return Buffer.concat([Buffer.of(0xc0 | tag), length, body]);
}

/** Multiprecision integer (RFC 4880 §3.2): leading zeros dropped. */
function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const magnitude = first === -1 ? Buffer.alloc(0) : bytes.subarray(first);
  const bits = magnitude.length === 0 ? 0 : magnitude.length * 8 - Math.clz32(magnitude[0]!) + 24;
  return Buffer.concat([uint16(bits), magnitude]);
}

function uint16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16BE(value);
  return out;
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
