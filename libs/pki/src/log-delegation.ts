import { signJwt, verifyJwt } from './jwt.js';
import { PkiError } from './pki-error.js';
import type { PublicKey } from './public-key.js';
import type { Signer } from './signer.js';

const TYP = 'siegel-log-delegation+jwt';
const ISSUER = 'siegel-log-authority';
const MAX_BYTES = 4 * 1024;

/** A key that auditors pin (a vault's) says that a log's verifier key is its log's, for a time. */
export interface LogDelegation {
  /** Origin line of the log. */
  origin: string;
  /** Verifier key of the log in the notation of C2SP signed-note. */
  vkey: string;
  notBefore: Date;
  notAfter: Date;
}

/** Compact JWS over a delegation, ES256 by the authority. Throws SIGNER_FAILED. */
export function signLogDelegation(delegation: LogDelegation, authority: Signer): Promise<string> {
  return signJwt(
    {
      iss: ISSUER,
      sub: delegation.origin,
      aud: delegation.origin,
      vkey: delegation.vkey,
      iat: seconds(delegation.notBefore),
      nbf: seconds(delegation.notBefore),
      exp: seconds(delegation.notAfter),
    },
    authority,
    { typ: TYP, maxBytes: MAX_BYTES },
  );
}

/**
 * Checks a delegation for one log under a pinned authority key. Whoever calls compares `vkey` with the key under which checkpoints and
 * promises verify. Throws the JWT_… codes: JWT_AUDIENCE_REFUSED for another log, JWT_EXPIRED, JWT_SIGNATURE_INVALID, …
 */
export async function verifyLogDelegation(
  jws: string,
  expected: { authority: PublicKey; origin: string; now: Date },
): Promise<LogDelegation> {
  const { authority, origin, now } = expected;
  const { claims } = await verifyJwt(jws, {
    keys: { alg: 'ES256', key: authority.keyObject, kid: authority.thumbprint },
    typ: TYP,
    issuer: ISSUER,
    audience: origin,
    now,
    maxBytes: MAX_BYTES,
  });
  const { sub, vkey, nbf, exp } = claims;
  if (sub !== origin) throw new PkiError('JWT_CLAIM_INVALID', 'sub');
  if (typeof vkey !== 'string' || !/^[\x21-\x7e]{1,512}$/.test(vkey))
    throw new PkiError('JWT_CLAIM_INVALID', 'vkey');
  if (nbf === undefined) throw new PkiError('JWT_CLAIM_INVALID', 'nbf');
  return { origin, vkey, notBefore: new Date(nbf * 1000), notAfter: new Date(exp * 1000) };
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);
