import { hash } from 'node:crypto';
import { parseJsonObject } from './base64url.js';
import { normaliseHtu } from './http-target.js';
import { parseCompactJws, verifySignature } from './jws.js';
import type { JwsAlg, ParsedJws } from './jws.js';
import type { KeyKind } from './key-kinds.js';
import { PkiError } from './pki-error.js';
import type { PkiErrorCode } from './pki-error-catalogue.js';
import { PublicKey } from './public-key.js';
import type { ReplayStore } from './replay-cache.js';

export interface DpopVerification {
  /** The value of the request's one DPoP header. */
  proof: string;
  /** The request's method, as received. */
  method: string;
  /** The request's absolute URL as the client sees it; query and fragment are ignored. */
  url: string;
  now: Date;
  replay: ReplayStore;
  /** Where the request carries a token: the token as sent, and `cnf.jkt` from its verified claims. Both or none. */
  accessToken?: string;
  jkt?: string;
  /** How old a proof may be, and how far in the future, in seconds. Default 60 and 5. */
  maxAgeSeconds?: number;
  clockSkewSeconds?: number;
  /** Where the server demands nonces (RFC 9449 §8): whether it accepts this one. */
  acceptNonce?: (nonce: string) => boolean;
}

export interface VerifiedDpop {
  key: PublicKey;
  /** RFC 7638 thumbprint of the key. */
  jkt: string;
  jti: string;
  issuedAt: Date;
}

/** Bounds of a proof, in characters: an RSA 4096 proof with a long URL takes about 4,000. */
export const MAX_DPOP_PROOF_BYTES = 8 * 1024;
const MAX_JTI = 256;

/** The signature algorithms that a proof may use, by its kind of key; the first is what `createDpopProof` uses. */
export const DPOP_ALGS: Readonly<Record<KeyKind, readonly JwsAlg[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['EdDSA', 'Ed25519'],
  X25519: [],
  RSA: ['PS256', 'RS256'],
};

/**
 * Verifies a DPoP proof by the twelve checks of RFC 9449 §4.3. The jti is remembered only after everything else has
 * held, so that nobody without the bound key can fill the replay cache. Throws the DPOP_… codes.
 */
export async function verifyDpopProof(input: DpopVerification): Promise<VerifiedDpop> {
  if ((input.accessToken === undefined) !== (input.jkt === undefined)) {
    throw new PkiError('SETTING_INVALID', 'accessToken and jkt belong together');
  }
  const jws = parseProof(input.proof);
  if (jws.header.typ?.toLowerCase() !== 'dpop+jwt') throw new PkiError('DPOP_TYP_REFUSED');
  const key = proofKey(jws.header['jwk']);
  const alg = DPOP_ALGS[key.kind].find((one) => one === jws.header.alg);
  if (alg === undefined) throw new PkiError('DPOP_ALG_REFUSED', key.kind);
  if (!(await verifySignature(jws, { alg, key: key.keyObject })))
    throw new PkiError('DPOP_SIGNATURE_INVALID');

  const claims = parseJsonObject(jws.payload);
  if (claims === undefined) throw new PkiError('DPOP_MALFORMED', 'payload');
  const jti = text(claims, 'jti');
  if (jti.length === 0 || jti.length > MAX_JTI) throw new PkiError('DPOP_CLAIM_INVALID', 'jti');
  if (text(claims, 'htm') !== input.method) throw new PkiError('DPOP_METHOD_MISMATCH');
  const htu = normaliseHtu(text(claims, 'htu'));
  if (htu === undefined || htu !== normaliseHtu(input.url)) throw new PkiError('DPOP_URL_MISMATCH');
  const { issuedAt, staleAt } = proofTimes(claims['iat'], input);
  if (input.acceptNonce !== undefined) checkNonce(claims['nonce'], input.acceptNonce);
  const jkt = key.thumbprint;
  if (input.accessToken !== undefined) {
    if (text(claims, 'ath') !== hash('sha256', input.accessToken, 'base64url'))
      throw new PkiError('DPOP_TOKEN_MISMATCH');
    if (jkt !== input.jkt) throw new PkiError('DPOP_KEY_MISMATCH');
  }
  // The same jti of two keys is no replay (RFC 9449 §11.1 asks for uniqueness in the context of the target URI).
  const verdict = await input.replay.claim(`dpop ${jkt} ${htu} ${jti}`, staleAt, input.now);
  if (verdict === 'replayed') throw new PkiError('DPOP_REPLAYED');
  if (verdict !== 'fresh') throw new PkiError('DPOP_REPLAY_CACHE_FULL');
  return { key, jkt, jti, issuedAt };
}

function parseProof(proof: string): ParsedJws {
  try {
    return parseCompactJws(proof, MAX_DPOP_PROOF_BYTES);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    if (error.code === 'JWT_TOO_LARGE') throw new PkiError('DPOP_TOO_LARGE', `limit ${MAX_DPOP_PROOF_BYTES}`);
    throw new PkiError('DPOP_MALFORMED', undefined, { cause: error });
  }
}

function proofKey(jwk: unknown): PublicKey {
  try {
    return PublicKey.fromJwk(jwk);
  } catch (cause) {
    const code: PkiErrorCode =
      cause instanceof PkiError && cause.code === 'JWK_PRIVATE' ? 'DPOP_KEY_PRIVATE' : 'DPOP_KEY_REFUSED';
    throw new PkiError(code, undefined, { cause });
  }
}

function proofTimes(iat: unknown, input: DpopVerification): { issuedAt: Date; staleAt: Date } {
  if (typeof iat !== 'number' || !Number.isFinite(iat) || iat < 0)
    throw new PkiError('DPOP_CLAIM_INVALID', 'iat');
  const { maxAgeSeconds = 60, clockSkewSeconds = 5 } = input;
  const now = input.now.getTime() / 1000;
  if (Number.isNaN(now)) throw new PkiError('SETTING_INVALID', 'now');
  if (now > iat + maxAgeSeconds) throw new PkiError('DPOP_TOO_OLD');
  if (iat > now + clockSkewSeconds) throw new PkiError('DPOP_FROM_FUTURE');
  return { issuedAt: new Date(iat * 1000), staleAt: new Date((iat + maxAgeSeconds) * 1000) };
}

function checkNonce(nonce: unknown, accept: (nonce: string) => boolean): void {
  if (nonce === undefined) throw new PkiError('DPOP_NONCE_REQUIRED');
  if (typeof nonce !== 'string' || !accept(nonce)) throw new PkiError('DPOP_NONCE_REFUSED');
}

function text(claims: Record<string, unknown>, name: string): string {
  const value = claims[name];
  if (typeof value !== 'string') throw new PkiError('DPOP_CLAIM_INVALID', name);
  return value;
}
