import { verify as cryptoVerify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import { asBuffer, decodeBase64url, encodeBase64url, parseJsonObject } from './base64url.js';
import { ecdsaRawToDer } from './ecdsa-signature.js';
import { keyKindOf } from './key-kinds.js';
import type { KeyKind } from './key-kinds.js';
import { PkiError } from './pki-error.js';
import { signRaw } from './signer.js';
import type { Signer } from './signer.js';

/** Signature algorithms that can be pinned to a key. Symmetric ones and `none` do not exist here. */
export type JwsAlg =
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512';

/** A public key with the one algorithm that it is used with. */
export interface VerificationKey {
  alg: JwsAlg;
  key: KeyObject;
  kid?: string;
}

/** One pinned key, or a look-up by the token's kid that gives only keys which are trusted now. */
export type KeySource = VerificationKey | ((kid: string | undefined) => VerificationKey | undefined);

export interface JwsHeader {
  alg: string;
  typ?: string;
  cty?: string;
  kid?: string;
  [name: string]: unknown;
}

export interface SignJwsOptions {
  typ: string;
  cty?: string;
  /** Further header members; cannot replace alg, typ, cty, kid; never crit or b64. */
  header?: Readonly<Record<string, unknown>>;
  /** Of the finished token, in characters. Default {@link MAX_TOKEN_BYTES}. */
  maxBytes?: number;
}

export interface VerifyJwsOptions {
  keys: KeySource;
  /** Required value of typ, compared as a media type (case-insensitive, `application/` may be left out). */
  typ: string;
  maxBytes?: number;
}

/** Default bound of a token, in characters. */
export const MAX_TOKEN_BYTES = 64 * 1024;

/** Compact JWS (RFC 7515 §3.1) over any payload. Throws JWT_TOO_LARGE or SIGNER_FAILED. */
export async function signJws(payload: Uint8Array, signer: Signer, options: SignJwsOptions): Promise<string> {
  const { typ, cty, header, maxBytes = MAX_TOKEN_BYTES } = options;
  if (header !== undefined && ('crit' in header || 'b64' in header))
    throw new PkiError('JWT_CRITICAL_HEADER');
  const full: JwsHeader = {
    ...header,
    alg: signer.alg,
    typ,
    ...(cty === undefined ? {} : { cty }),
    kid: signer.kid,
  };
  const input = `${encodeBase64url(Buffer.from(JSON.stringify(full), 'utf8'))}.${encodeBase64url(payload)}`;
  if (input.length + 87 > maxBytes) throw new PkiError('JWT_TOO_LARGE', `limit ${maxBytes}`);
  const signature = await signRaw(signer, Buffer.from(input, 'latin1'));
  return `${input}.${encodeBase64url(signature)}`;
}

/**
 * Verifies a compact JWS. The algorithm comes from the key, never from the token; kid only selects among the keys
 * that `keys` gives; jwk, jku and x5* in the header are not looked at; crit is refused. Throws JWT_TOO_LARGE,
 * JWT_MALFORMED, JWT_CRITICAL_HEADER, JWT_TYP_REFUSED, JWT_KEY_UNKNOWN, JWT_ALG_REFUSED, JWT_SIGNATURE_INVALID.
 */
export async function verifyJws(
  token: string,
  options: VerifyJwsOptions,
): Promise<{ header: JwsHeader; payload: Buffer; kid?: string }> {
  const parsed = parseCompactJws(token, options.maxBytes ?? MAX_TOKEN_BYTES);
  const { header } = parsed;
  if (!isMediaType(header.typ, options.typ)) throw new PkiError('JWT_TYP_REFUSED', `expected ${options.typ}`);
  const key = typeof options.keys === 'function' ? options.keys(header.kid) : options.keys;
  if (key === undefined) throw new PkiError('JWT_KEY_UNKNOWN');
  if (key.kid !== undefined && header.kid !== undefined && header.kid !== key.kid)
    throw new PkiError('JWT_KEY_UNKNOWN');
  if (header.alg !== key.alg) throw new PkiError('JWT_ALG_REFUSED', `the key is for ${key.alg}`);
  if (!(await verifySignature(parsed, key))) throw new PkiError('JWT_SIGNATURE_INVALID');
  return { header, payload: parsed.payload, ...(key.kid === undefined ? {} : { kid: key.kid }) };
}

/** A compact JWS taken apart, not verified. */
export interface ParsedJws {
  token: string;
  header: JwsHeader;
  payload: Buffer;
  signingInput: Buffer;
  signature: Buffer;
}

/** Takes a compact JWS apart; throws JWT_TOO_LARGE, JWT_MALFORMED, JWT_CRITICAL_HEADER. Verifies nothing. */
export function parseCompactJws(token: string, maxBytes: number): ParsedJws {
  if (typeof token !== 'string') throw new PkiError('JWT_MALFORMED', 'not a string');
  if (token.length > maxBytes) throw new PkiError('JWT_TOO_LARGE', `limit ${maxBytes}`);
  const first = token.indexOf('.');
  const last = token.lastIndexOf('.');
  if (first <= 0 || last <= first || token.indexOf('.', first + 1) !== last)
    throw new PkiError('JWT_MALFORMED', 'not three parts');
  const head = decodeBase64url(token.slice(0, first));
  const payload = decodeBase64url(token.slice(first + 1, last));
  const signature = decodeBase64url(token.slice(last + 1));
  if (head === undefined || payload === undefined || signature === undefined)
    throw new PkiError('JWT_MALFORMED', 'not base64url');
  const header = parseJsonObject(head);
  if (header === undefined || typeof header['alg'] !== 'string')
    throw new PkiError('JWT_MALFORMED', 'header');
  for (const name of ['typ', 'cty', 'kid']) {
    if (name in header && typeof header[name] !== 'string')
      throw new PkiError('JWT_MALFORMED', `header ${name}`);
  }
  if ('crit' in header || 'b64' in header) throw new PkiError('JWT_CRITICAL_HEADER');
  return {
    token,
    header: header as JwsHeader,
    payload,
    signingInput: Buffer.from(token.slice(0, last), 'latin1'),
    signature,
  };
}

/** The signature check alone: ES256 and EdDSA directly on node:crypto (hot path), the others by jose. */
export async function verifySignature(jws: ParsedJws, { alg, key }: VerificationKey): Promise<boolean> {
  if (jws.header.alg !== alg || !keyFits(alg, key)) return false;
  if (alg === 'ES256') {
    return (
      jws.signature.length === 64 &&
      cryptoVerify('sha256', jws.signingInput, key, ecdsaRawToDer(jws.signature))
    );
  }
  if (alg === 'EdDSA' || alg === 'Ed25519') {
    return jws.signature.length === 64 && cryptoVerify(null, jws.signingInput, key, jws.signature);
  }
  try {
    const { payload } = await compactVerify(jws.token, key, { algorithms: [alg] });
    return asBuffer(payload).equals(jws.payload);
  } catch {
    return false;
  }
}

const KIND_OF_ALG: Readonly<Record<JwsAlg, KeyKind>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA',
  PS256: 'RSA',
  PS384: 'RSA',
  PS512: 'RSA',
};

/** Whether the public key is of the kind that the algorithm is defined for. */
export function keyFits(alg: JwsAlg, key: KeyObject): boolean {
  return key.type === 'public' && keyKindOf(key) === KIND_OF_ALG[alg];
}

function isMediaType(actual: string | undefined, expected: string): boolean {
  return actual !== undefined && shortType(actual) === shortType(expected);
}

const shortType = (type: string): string => type.toLowerCase().replace(/^application\/(?=[^/]*$)/, '');
