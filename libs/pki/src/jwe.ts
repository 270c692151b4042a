import {
  constants,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { decodeBase64url, encodeBase64url, parseJsonObject } from './base64url.js';
import { concatKdf } from './concat-kdf.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';
import type { PublicJwk } from './jwk.js';
import { keyKindOf, OPENSSL_CURVES } from './key-kinds.js';
import type { KeyKind } from './key-kinds.js';

export interface SealOptions {
  /** Default: the recipient key's RFC 7638 thumbprint. */
  kid?: string;
  cty?: string;
  typ?: string;
  /** Agreement PartyUInfo and PartyVInfo (RFC 7518 §4.6.1.2), ECDH-ES only. */
  apu?: Uint8Array;
  apv?: Uint8Array;
  /** Of the plaintext, in octets. Default {@link MAX_PLAINTEXT_BYTES}. */
  maxBytes?: number;
}

export interface OpenedJwe {
  plaintext: Buffer;
  header: Record<string, unknown>;
}

/** Default bound of what is sealed, in octets. */
export const MAX_PLAINTEXT_BYTES = 1024 * 1024;

const ENC = 'A256GCM';
const NO_PARTY = Buffer.alloc(0);

/**
 * Seals to the holder of a key: compact JWE (RFC 7516 §3.1), A256GCM under ECDH-ES in direct mode for P-256, P-384,
 * P-521 and X25519, under RSA-OAEP-256 for RSA. The algorithm follows from the key. Synchronous, because it is on
 * the hot path. Throws what `PublicKey.fromJwk` throws, KEY_NOT_USABLE for Ed25519, JWE_TOO_LARGE.
 */
export function sealJwe(
  plaintext: Uint8Array,
  recipient: PublicKey | PublicJwk,
  options: SealOptions = {},
): string {
  const key = recipient instanceof PublicKey ? recipient : PublicKey.fromJwk(recipient);
  const limit = options.maxBytes ?? MAX_PLAINTEXT_BYTES;
  if (plaintext.length > limit) throw new PkiError('JWE_TOO_LARGE', `limit ${limit}`);
  if (!key.canReceive) throw new PkiError('KEY_NOT_USABLE', `${key.kind} cannot receive sealed data`);
  const named = {
    ...(options.typ === undefined ? {} : { typ: options.typ }),
    ...(options.cty === undefined ? {} : { cty: options.cty }),
    kid: options.kid ?? key.thumbprint,
  };
  if (key.kind === 'RSA') {
    const cek = randomBytes(32);
    const wrapped = publicEncrypt({ key: key.keyObject, ...OAEP_256 }, cek);
    return encrypt({ alg: 'RSA-OAEP-256', enc: ENC, ...named }, cek, wrapped, plaintext);
  }
  const ephemeral = generateEphemeral(key.kind);
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: key.keyObject });
  const { kty, crv, x, y } = ephemeral.publicKey.export({ format: 'jwk' });
  const header = {
    alg: 'ECDH-ES',
    enc: ENC,
    ...named,
    epk: y === undefined ? { kty, crv, x } : { kty, crv, x, y },
    ...(options.apu === undefined ? {} : { apu: encodeBase64url(options.apu) }),
    ...(options.apv === undefined ? {} : { apv: encodeBase64url(options.apv) }),
  };
  const cek = concatKdf(shared, ENC, options.apu ?? NO_PARTY, options.apv ?? NO_PARTY);
  return encrypt(header, cek, NO_PARTY, plaintext);
}

/**
 * Opens what {@link sealJwe} or any JOSE library sealed to the private key. The algorithm follows from the key; the
 * ephemeral key must be a valid point of the same curve. Throws JWE_TOO_LARGE, JWE_MALFORMED, JWE_ALG_REFUSED,
 * KEY_NOT_USABLE, or JWE_OPEN_FAILED for all that is wrong with keys, tag or ciphertext, without saying which.
 */
export function openJwe(
  token: string,
  privateKey: KeyObject,
  options: { maxBytes?: number } = {},
): OpenedJwe {
  const limit = options.maxBytes ?? MAX_PLAINTEXT_BYTES;
  // 4/3 for base64url, and room for the header and an RSA-wrapped key.
  if (typeof token !== 'string' || token.length > Math.ceil(limit / 3) * 4 + 8192) {
    throw new PkiError('JWE_TOO_LARGE', `limit ${limit}`);
  }
  const parts = token.split('.', 6).map((part) => ({ part, bytes: decodeBase64url(part) }));
  const [head, wrapped, iv, ciphertext, tag] = parts.map(({ bytes }) => bytes);
  if (parts.length !== 5 || !head || !wrapped || !iv || !ciphertext || !tag)
    throw new PkiError('JWE_MALFORMED', 'five parts');
  const header = parseJsonObject(head);
  if (header === undefined) throw new PkiError('JWE_MALFORMED', 'header');
  if ('crit' in header || 'zip' in header || header['enc'] !== ENC) throw new PkiError('JWE_ALG_REFUSED');
  if (iv.length !== 12 || tag.length !== 16) throw new PkiError('JWE_MALFORMED', 'iv or tag');
  const cek = contentKey(header, wrapped, privateKey);
  try {
    const decipher = createDecipheriv('aes-256-gcm', cek, iv, { authTagLength: 16 });
    decipher.setAAD(Buffer.from(parts[0]?.part ?? '', 'latin1'));
    decipher.setAuthTag(tag);
    const plaintext = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    return { plaintext, header };
  } catch {
    throw new PkiError('JWE_OPEN_FAILED');
  }
}

const OAEP_256 = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;

function generateEphemeral(kind: KeyKind): { privateKey: KeyObject; publicKey: KeyObject } {
  if (kind === 'X25519') return generateKeyPairSync('x25519');
  if (kind === 'RSA' || kind === 'Ed25519') throw new PkiError('KEY_NOT_USABLE', kind);
  return generateKeyPairSync('ec', { namedCurve: OPENSSL_CURVES[kind] });
}

function encrypt(header: object, cek: Buffer, wrapped: Buffer, plaintext: Uint8Array): string {
  const protectedHeader = encodeBase64url(Buffer.from(JSON.stringify(header), 'utf8'));
  const iv = randomBytes(12);
  // As a KeyObject: Node probes plain bytes for being one, which costs more than the encryption.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(cek), iv, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(protectedHeader, 'latin1'));
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  cek.fill(0);
  const rest = [wrapped, iv, ciphertext, cipher.getAuthTag()].map(encodeBase64url).join('.');
  return `${protectedHeader}.${rest}`;
}

function contentKey(header: Record<string, unknown>, wrapped: Buffer, privateKey: KeyObject): Buffer {
  const kind = privateKey.type === 'private' ? keyKindOf(privateKey) : undefined;
  if (kind === undefined || kind === 'Ed25519') throw new PkiError('KEY_NOT_USABLE', kind ?? privateKey.type);
  if (header['alg'] !== (kind === 'RSA' ? 'RSA-OAEP-256' : 'ECDH-ES')) throw new PkiError('JWE_ALG_REFUSED');
  if (kind === 'RSA') return unwrapRsa(wrapped, privateKey);
  if (wrapped.length !== 0) throw new PkiError('JWE_MALFORMED', 'ECDH-ES has no encrypted key');
  const apu = partyInfo(header, 'apu');
  const apv = partyInfo(header, 'apv');
  try {
    const ephemeral = PublicKey.fromJwk(header['epk']);
    if (ephemeral.kind !== kind) throw new PkiError('JWE_OPEN_FAILED');
    const shared = diffieHellman({ privateKey, publicKey: ephemeral.keyObject });
    return concatKdf(shared, ENC, apu, apv);
  } catch {
    throw new PkiError('JWE_OPEN_FAILED');
  }
}

function unwrapRsa(wrapped: Buffer, key: KeyObject): Buffer {
  // A key of the wrong length or a failed unwrap goes on with a random key, so that both end in the same failed tag
  // (RFC 7516 §11.5).
  const random = randomBytes(32);
  try {
    const cek = privateDecrypt({ key, ...OAEP_256 }, wrapped);
    return cek.length === 32 ? cek : random;
  } catch {
    return random;
  }
}

function partyInfo(header: Record<string, unknown>, name: 'apu' | 'apv'): Buffer {
  const value = header[name];
  if (value === undefined) return NO_PARTY;
  const bytes = typeof value === 'string' && value.length <= 1024 ? decodeBase64url(value) : undefined;
  if (bytes === undefined) throw new PkiError('JWE_MALFORMED', name);
  return bytes;
}
