import { decodeBase64url, encodeBase64url } from './base64url.js';
import { derBitString, derNull, derOid, derSequence, derUnsigned } from './der-writer.js';
import { CURVES } from './key-kinds.js';
import type { CurveFormat } from './key-kinds.js';
import { PkiError } from './pki-error.js';

/** A public JSON Web Key (RFC 7517, RFC 7518 §6, RFC 8037): the members that name the key, plus kid, alg, use. */
export interface PublicJwk {
  kty: 'EC' | 'OKP' | 'RSA';
  crv?: string;
  x?: string;
  y?: string;
  n?: string;
  e?: string;
  kid?: string;
  alg?: string;
  use?: 'sig' | 'enc';
  /** Certificate chain of the key, DER in standard base64, leaf first (RFC 7517 §4.7). */
  x5c?: string[];
}

/** A JWK Set as published under /.well-known/jwks.json (RFC 7517 §5). */
export interface Jwks {
  keys: PublicJwk[];
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];
const RSA_ALGORITHM = derSequence(derOid('1.2.840.113549.1.1.1'), derNull);

/**
 * DER SubjectPublicKeyInfo of a public JWK, byte-exact. Throws JWK_PRIVATE, JWK_MALFORMED or KEY_UNSUPPORTED.
 * Members that do not name the key (kid, use, alg, key_ops, x5c …) are ignored. The result still has to be
 * accepted by `PublicKey.fromSpki`: this function does not know whether a point is on its curve.
 */
export function jwkToSpki(jwk: unknown): Buffer {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new PkiError('JWK_MALFORMED', 'not an object');
  const members = jwk as Record<string, unknown>;
  const secret = PRIVATE_MEMBERS.find((name) => name in members);
  if (secret !== undefined) throw new PkiError('JWK_PRIVATE', `member ${secret}`);
  const kty = members['kty'];
  if (kty === 'RSA') return rsaSpki(octets(members, 'n', 1024), octets(members, 'e', 8));
  if (kty !== 'EC' && kty !== 'OKP') throw new PkiError('KEY_UNSUPPORTED', 'kty');
  const crv = members['crv'];
  const curve =
    typeof crv === 'string' && Object.hasOwn(CURVES, crv) ? CURVES[crv as CurveFormat['kind']] : undefined;
  if (curve === undefined || curve.kty !== kty) throw new PkiError('KEY_UNSUPPORTED', 'crv');
  const x = coordinate(members, 'x', curve.fieldBytes);
  return kty === 'OKP'
    ? Buffer.concat([curve.prefix, x])
    : Buffer.concat([curve.prefix, UNCOMPRESSED, x, coordinate(members, 'y', curve.fieldBytes)]);
}

/** The required members of the JWK of a curve key, from its point as it stands in the SPKI. */
export function curvePointToJwk(curve: CurveFormat, point: Buffer): PublicJwk {
  if (curve.kty === 'OKP') return { kty: 'OKP', crv: curve.kind, x: encodeBase64url(point) };
  return {
    kty: 'EC',
    crv: curve.kind,
    x: encodeBase64url(point.subarray(1, 1 + curve.fieldBytes)),
    y: encodeBase64url(point.subarray(1 + curve.fieldBytes)),
  };
}

/** SubjectPublicKeyInfo of an RSA key from modulus and exponent (RFC 3279 §2.3.1). */
export function rsaSpki(n: Uint8Array, e: Uint8Array): Buffer {
  return derSequence(RSA_ALGORITHM, derBitString(derSequence(derUnsigned(n), derUnsigned(e))));
}

const UNCOMPRESSED = Buffer.of(0x04);

function coordinate(members: Record<string, unknown>, name: string, length: number): Buffer {
  const bytes = octets(members, name, length);
  if (bytes.length !== length) throw new PkiError('JWK_MALFORMED', `${name} is not of full field length`);
  return bytes;
}

function octets(members: Record<string, unknown>, name: string, limit: number): Buffer {
  const text = members[name];
  if (typeof text !== 'string' || text.length > limit * 2) throw new PkiError('JWK_MALFORMED', name);
  const bytes = decodeBase64url(text);
  if (bytes === undefined || bytes.length === 0) throw new PkiError('JWK_MALFORMED', name);
  // RFC 7518 §6.3.1.1: the minimum number of octets. (Coordinates are checked for their exact length.)
  if ((name === 'n' || name === 'e') && bytes[0] === 0)
    throw new PkiError('JWK_MALFORMED', `${name} has leading zeros`);
  return bytes;
}
