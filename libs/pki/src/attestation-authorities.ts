import { createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { parseJsonObject } from './base64url.js';
import { toPem } from './certificate-pem.js';
import { parseCompactJws, verifySignature } from './jws.js';
import type { JwsAlg, VerificationKey } from './jws.js';
import { keyKindOf } from './key-kinds.js';
import type { JwtClaims } from './jwt.js';
import { PkiError } from './pki-error.js';

/** A token that its issuer signed and that is valid now. */
export interface AttestationToken {
  readonly issuer: string;
  readonly claims: JwtClaims;
}

export interface VerifyAttestationOptions {
  readonly now: Date;
  /** Allowed difference of clocks, in seconds. Default 60: the issuer is another organisation. */
  readonly clockSkewSeconds?: number;
  /** When given, `iat` is required and the token must not be older. */
  readonly maxAgeSeconds?: number;
}

/** Largest attestation token, in characters: one with a JWKS among its claims takes a few thousand. */
export const MAX_ATTESTATION_TOKEN_CHARACTERS = 64 * 1024;
const MAX_KEYS = 100;
const MAX_X5C_CHARACTERS = 32 * 1024;

/**
 * Attestation services whose tokens are believed, by issuer, each with its own pinned keys (JWKS as `GET /certs` of Microsoft Azure
 * Attestation gives it). Providers of one region share signing keys, so that a key never counts for another issuer than its own.
 * Nothing in a token's header gives a key: `jku`, `jwk` and `x5c` are not looked at, `alg` must be the key's own.
 */
export class AttestationAuthorities {
  private readonly byIssuer = new Map<string, ReadonlyMap<string, VerificationKey>>();

  /** @param jwks of the issuer; replaces what was known. @throws PkiError JWK_MALFORMED, KEY_UNSUPPORTED */
  set(issuer: string, jwks: unknown): void {
    this.byIssuer.set(issuer, readKeys(jwks));
  }

  get issuers(): readonly string[] {
    return [...this.byIssuer.keys()];
  }

  /**
   * Verifies a token and its times; `exp` is required. Throws the JWT_… codes; JWT_ISSUER_REFUSED for an issuer that is not listed.
   */
  async verify(token: string, options: VerifyAttestationOptions): Promise<AttestationToken> {
    const jws = parseCompactJws(token, MAX_ATTESTATION_TOKEN_CHARACTERS);
    const typ = jws.header.typ?.toLowerCase();
    if (typ !== undefined && typ !== 'jwt') throw new PkiError('JWT_TYP_REFUSED', 'expected JWT');
    // Read before it is verified, for nothing but the choice of the keys.
    const claims = parseJsonObject(jws.payload);
    const issuer = claims?.['iss'];
    if (claims === undefined || typeof issuer !== 'string') throw new PkiError('JWT_CLAIM_INVALID', 'iss');
    const keys = this.byIssuer.get(issuer);
    if (keys === undefined) throw new PkiError('JWT_ISSUER_REFUSED');
    const key = jws.header.kid === undefined ? undefined : keys.get(jws.header.kid);
    if (key === undefined) throw new PkiError('JWT_KEY_UNKNOWN');
    if (jws.header.alg !== key.alg) throw new PkiError('JWT_ALG_REFUSED', `the key is for ${key.alg}`);
    if (!(await verifySignature(jws, key))) throw new PkiError('JWT_SIGNATURE_INVALID');
    checkTimes(claims, options);
    return { issuer, claims: claims as JwtClaims };
  }
}

function checkTimes(claims: Record<string, unknown>, options: VerifyAttestationOptions): void {
  const now = options.now.getTime() / 1000;
  if (Number.isNaN(now)) throw new PkiError('SETTING_INVALID', 'now');
  const skew = options.clockSkewSeconds ?? 60;
  const [exp, nbf, iat] = ['exp', 'nbf', 'iat'].map((name) => timeOf(claims, name));
  if (exp === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'exp');
  if (now >= exp + skew) throw new PkiError('JWT_EXPIRED');
  if (nbf !== undefined && now < nbf - skew) throw new PkiError('JWT_NOT_YET_VALID', 'nbf');
  if (iat !== undefined && now < iat - skew) throw new PkiError('JWT_NOT_YET_VALID', 'iat');
  if (options.maxAgeSeconds === undefined) return;
  if (iat === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'iat');
  if (now - iat > options.maxAgeSeconds + skew)
    throw new PkiError('JWT_LIFETIME_REFUSED', `issued more than ${options.maxAgeSeconds} s ago`);
}

function timeOf(claims: Record<string, unknown>, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw new PkiError('JWT_CLAIM_INVALID', name);
}

function readKeys(jwks: unknown): Map<string, VerificationKey> {
  const list = (jwks as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_KEYS)
    throw new PkiError('JWK_MALFORMED', `a JWKS has 1 to ${MAX_KEYS} keys`);
  const found = new Map<string, VerificationKey>();
  for (const [at, entry] of list.entries()) {
    const { kid, alg, use } = (entry ?? {}) as Record<string, unknown>;
    if (use !== undefined && use !== 'sig') continue;
    if (typeof kid !== 'string' || kid === '') throw new PkiError('JWK_MALFORMED', `keys[${at}].kid`);
    const key = importKey(entry as Record<string, unknown>, at);
    const algorithm = algorithmOf(key, alg, at);
    if (found.has(kid)) throw new PkiError('JWK_MALFORMED', `keys[${at}]: this kid stands there twice`);
    found.set(kid, { alg: algorithm, key, kid });
  }
  if (found.size === 0) throw new PkiError('JWK_MALFORMED', 'no key is for signatures');
  return found;
}

/** By its members, or by the first certificate where those are missing, as in the JWKS of Microsoft Azure Attestation. */
function importKey(jwk: Record<string, unknown>, at: number): KeyObject {
  const { kty, n, e, crv, x, y, x5c } = jwk;
  try {
    if (kty === 'RSA' && n !== undefined)
      return createPublicKey({ key: { kty, n, e } as never, format: 'jwk' });
    if (kty === 'EC' && x !== undefined)
      return createPublicKey({ key: { kty, crv, x, y } as never, format: 'jwk' });
    const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
    if (typeof first !== 'string' || first.length > MAX_X5C_CHARACTERS)
      throw new Error('neither key nor x5c');
    // As PEM: given DER, node:crypto would find the PEM chain inside of the quote that these certificates embed.
    return new X509Certificate(toPem('CERTIFICATE', Buffer.from(first, 'base64'))).publicKey;
  } catch (error) {
    throw new PkiError('JWK_MALFORMED', `keys[${at}]`, { cause: error });
  }
}

function algorithmOf(key: KeyObject, alg: unknown, at: number): JwsAlg {
  const kind = keyKindOf(key);
  const preset =
    kind === 'RSA' ? 'RS256' : kind === 'P-256' ? 'ES256' : kind === 'P-384' ? 'ES384' : undefined;
  if (preset === undefined)
    throw new PkiError('KEY_UNSUPPORTED', `keys[${at}]: RSA of 2048 bits or more, P-256, P-384`);
  if (alg === undefined || alg === preset) return preset;
  if (kind === 'RSA' && (alg === 'PS256' || alg === 'RS384' || alg === 'RS512')) return alg;
  throw new PkiError('KEY_UNSUPPORTED', `keys[${at}]: alg ${String(alg).slice(0, 20)}`);
}
