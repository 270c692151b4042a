import { parseJsonObject } from './base64url.js';
import { signJws, verifyJws } from './jws.js';
import type { JwsHeader, KeySource, SignJwsOptions } from './jws.js';
import { PkiError } from './pki-error.js';
import type { Signer } from './signer.js';

/** JWT claims (RFC 7519 §4.1); times are unix seconds. */
export interface JwtClaims {
  iss?: string;
  sub?: string;
  aud?: string | string[];
  exp?: number;
  nbf?: number;
  iat?: number;
  jti?: string;
  [name: string]: unknown;
}

export interface SignJwtOptions extends SignJwsOptions {
  /** When given, `exp` and `iat` are required and `exp − iat` must not exceed it. */
  maxLifetimeSeconds?: number;
}

export interface VerifyJwtOptions {
  keys: KeySource;
  typ: string;
  /** The one accepted `iss`. */
  issuer: string;
  /** Must be `aud`, or one of its values. */
  audience: string;
  now: Date;
  /** Allowed difference of clocks for exp, nbf and iat, in seconds. Default 5. */
  clockSkewSeconds?: number;
  /** When given, `iat` is required and `exp − iat` must not exceed it. */
  maxLifetimeSeconds?: number;
  maxBytes?: number;
}

export interface VerifiedJwt {
  header: JwsHeader;
  claims: JwtClaims & { iss: string; exp: number };
  kid?: string;
}

/** Default bound of a JWT, in characters. */
export const MAX_JWT_BYTES = 16 * 1024;

/**
 * Signs claims as a compact JWT with the signer's algorithm and kid. Throws JWT_CLAIM_INVALID for registered claims
 * of the wrong type, JWT_LIFETIME_REFUSED, JWT_TOO_LARGE, SIGNER_FAILED.
 */
export async function signJwt(claims: JwtClaims, signer: Signer, options: SignJwtOptions): Promise<string> {
  checkClaimTypes(claims);
  if (options.maxLifetimeSeconds !== undefined) checkLifetime(claims, options.maxLifetimeSeconds);
  const payload = Buffer.from(JSON.stringify(claims), 'utf8');
  return signJws(payload, signer, { ...options, maxBytes: options.maxBytes ?? MAX_JWT_BYTES });
}

/**
 * Verifies a compact JWT: what {@link verifyJws} verifies, then that the payload is claims of the right types, and
 * iss, aud, exp, nbf, iat. `exp` is required. Throws the JWT_… codes; nothing of the token is returned otherwise.
 */
export async function verifyJwt(token: string, options: VerifyJwtOptions): Promise<VerifiedJwt> {
  const { header, payload, kid } = await verifyJws(token, {
    keys: options.keys,
    typ: options.typ,
    maxBytes: options.maxBytes ?? MAX_JWT_BYTES,
  });
  const claims = parseJsonObject(payload);
  if (claims === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'the payload is not a JSON object');
  checkClaimTypes(claims);
  const { iss, aud, exp, nbf, iat } = claims;
  if (iss !== options.issuer) throw new PkiError('JWT_ISSUER_REFUSED');
  if (!(aud === options.audience || (Array.isArray(aud) && aud.includes(options.audience)))) {
    throw new PkiError('JWT_AUDIENCE_REFUSED');
  }
  const now = options.now.getTime() / 1000;
  // An unreadable clock compares false with everything; it must not make a token valid.
  if (Number.isNaN(now)) throw new PkiError('SETTING_INVALID', 'now');
  const skew = options.clockSkewSeconds ?? 5;
  if (exp === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'exp');
  if (now >= exp + skew) throw new PkiError('JWT_EXPIRED');
  if (nbf !== undefined && now < nbf - skew) throw new PkiError('JWT_NOT_YET_VALID', 'nbf');
  if (iat !== undefined && now < iat - skew) throw new PkiError('JWT_NOT_YET_VALID', 'iat');
  if (options.maxLifetimeSeconds !== undefined) checkLifetime(claims, options.maxLifetimeSeconds);
  return { header, claims: { ...claims, iss, exp }, ...(kid === undefined ? {} : { kid }) };
}

function checkClaimTypes(claims: Record<string, unknown>): asserts claims is JwtClaims {
  for (const name of ['exp', 'nbf', 'iat']) {
    const value = claims[name];
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value) && value >= 0)) {
      throw new PkiError('JWT_CLAIM_INVALID', name);
    }
  }
  for (const name of ['iss', 'sub', 'jti']) {
    const value = claims[name];
    if (value !== undefined && typeof value !== 'string') throw new PkiError('JWT_CLAIM_INVALID', name);
  }
  const aud = claims['aud'];
  const single = aud === undefined || typeof aud === 'string';
  if (!single && !(Array.isArray(aud) && aud.every((one) => typeof one === 'string'))) {
    throw new PkiError('JWT_CLAIM_INVALID', 'aud');
  }
}

function checkLifetime({ exp, iat }: JwtClaims, limit: number): void {
  if (exp === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'exp');
  if (iat === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'iat');
  if (exp <= iat || exp - iat > limit) throw new PkiError('JWT_LIFETIME_REFUSED', `limit ${limit} s`);
}
