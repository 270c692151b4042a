import { checkTokenBinding, type Binding } from './binding.js';
import { parseCompactToken, signatureHolds, type Members } from './compact-token.js';
import { RelyingPartyError } from './errors.js';
import { factsOf, type AttestedFacts, type TokenKind } from './facts.js';
import { pinnedKeys, type PinnedKey } from './pinned-keys.js';
import { checkFacts, checkRequirements, type Requirements } from './requirements.js';

/** An issuer whose tokens are believed, with its own keys: providers of one region share keys, so none counts for another. */
export interface PinnedIssuer {
  readonly kind: TokenKind;
  /** Byte for byte what `iss` is. */
  readonly issuer: string;
  /** JWKS of the issuer, fetched over a channel that the caller trusts; `GET /.well-known/jwks.json` or `GET /certs`. */
  readonly jwks: unknown;
}

export type Expectations = Requirements & {
  readonly now: Date;
  readonly binding: Binding;
  /** `aud`; default `siegel` for Siegel's tokens. MAA tokens have none, and are refused where one is asked for. */
  readonly audience?: string;
  /** The claim `nonce` of MAA tokens: that the request was fresh, not that the evidence was. */
  readonly nonce?: string;
  /** Allowed difference of clocks, 0 to 300 seconds. Default 60. */
  readonly clockSkewSeconds?: number;
  /** Greatest age, whatever `exp` says. Default 900. */
  readonly maxAgeSeconds?: number;
  /** Greatest lifetime. Default: 900, and 28,800 for MAA tokens, as Microsoft's have it. */
  readonly maxLifetimeSeconds?: number;
};

export interface VerifiedToken {
  readonly kind: TokenKind;
  readonly issuer: string;
  readonly tokenId: string | undefined;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly facts: AttestedFacts;
  /** All claims, as they stand in the token. */
  readonly claims: Members;
}

const TYPES: Readonly<Record<TokenKind, string>> = { siegel: 'siegel-attestation+jwt', maa: 'jwt' };
const LIFETIMES: Readonly<Record<TokenKind, number>> = { siegel: 900, maa: 28_800 };
const ALGORITHMS: Readonly<Record<TokenKind, readonly string[]>> = { siegel: ['ES256'], maa: ['RS256'] };
const MAX_SKEW_SECONDS = 300;

/**
 * Verifies attestation tokens: of a pinned issuer, by its pinned keys and their algorithm, valid now, of the enclaves that are meant, and
 * bound to the peer. `jku`, `jwk`, `x5u` and `x5c` of a token's header are never looked at.
 */
export class TokenVerifier {
  private readonly issuers: ReadonlyMap<string, { kind: TokenKind; keys: ReadonlyMap<string, PinnedKey> }>;

  /** @throws RelyingPartyError KEYS_MALFORMED, KEY_UNSUPPORTED */
  constructor(issuers: readonly PinnedIssuer[]) {
    this.issuers = new Map(
      issuers.map(({ kind, issuer, jwks }) => [issuer, { kind, keys: pinnedKeys(jwks) }]),
    );
  }

  /** @throws RelyingPartyError */
  verify(token: string, expectations: Expectations): VerifiedToken {
    checkRequirements(expectations);
    const parsed = parseCompactToken(token);
    const { header, claims } = parsed;
    // Read before the signature is verified, for nothing but the choice of the keys.
    const { iss } = claims;
    const pinned = typeof iss === 'string' ? this.issuers.get(iss) : undefined;
    if (typeof iss !== 'string' || pinned === undefined) throw new RelyingPartyError('ISSUER_UNKNOWN');
    const { kind, keys } = pinned;
    const { kid, typ } = header;
    const key = typeof kid === 'string' ? keys.get(kid) : undefined;
    if (key === undefined) throw new RelyingPartyError('KEY_UNKNOWN');
    if (header.alg !== key.alg || !ALGORITHMS[kind].includes(key.alg))
      throw new RelyingPartyError('ALGORITHM_REFUSED', `The key is for ${key.alg}.`);
    if (!signatureHolds(parsed, key.alg, key.key)) throw new RelyingPartyError('SIGNATURE_INVALID');
    if (typeof typ !== 'string' || typ.toLowerCase().replace(/^application\//, '') !== TYPES[kind])
      throw new RelyingPartyError('TYPE_REFUSED', `It is ${String(typ).slice(0, 64)}.`);
    const times = checkTimes(kind, claims, expectations);
    checkAudience(kind, claims, expectations.audience);
    const facts = factsOf(kind, claims);
    checkFacts(facts, expectations);
    checkTokenBinding(kind, claims, facts, expectations.binding);
    if (expectations.nonce !== undefined && claims['nonce'] !== expectations.nonce)
      throw new RelyingPartyError('NONCE_MISMATCH');
    const { jti } = claims;
    return { kind, issuer: iss, tokenId: typeof jti === 'string' ? jti : undefined, ...times, facts, claims };
  }
}

function checkTimes(kind: TokenKind, claims: Members, expectations: Expectations) {
  const now = expectations.now.getTime() / 1_000;
  const skew = expectations.clockSkewSeconds ?? 60;
  // An unreadable clock compares false with everything; it must not make a token valid.
  if (!Number.isFinite(now) || !(skew >= 0 && skew <= MAX_SKEW_SECONDS))
    throw new RelyingPartyError('CLOCK_INVALID');
  const exp = timeIn(claims, 'exp', true);
  const iat = timeIn(claims, 'iat', true);
  const nbf = timeIn(claims, 'nbf', false) ?? iat;
  if (now >= exp + skew) throw new RelyingPartyError('TOKEN_EXPIRED');
  if (now < nbf - skew || now < iat - skew) throw new RelyingPartyError('TOKEN_NOT_YET_VALID');
  // Put so that a limit which is no number refuses.
  if (exp <= iat || !(exp - iat <= (expectations.maxLifetimeSeconds ?? LIFETIMES[kind])))
    throw new RelyingPartyError('LIFETIME_REFUSED', `${exp - iat} seconds.`);
  if (!(now - iat <= (expectations.maxAgeSeconds ?? 900) + skew))
    throw new RelyingPartyError('TOKEN_TOO_OLD');
  return { issuedAt: new Date(iat * 1_000), expiresAt: new Date(exp * 1_000) };
}

function timeIn(claims: Members, name: string, required: true): number;
function timeIn(claims: Members, name: string, required: false): number | undefined;
function timeIn(claims: Members, name: string, required: boolean): number | undefined {
  const value = claims[name];
  if (value === undefined && required) throw new RelyingPartyError('CLAIM_MISSING', `${name}.`);
  if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value) && value >= 0))
    throw new RelyingPartyError('CLAIM_MALFORMED', `${name}.`);
  return value as number | undefined;
}

function checkAudience(kind: TokenKind, claims: Members, asked: string | undefined): void {
  const wanted = asked ?? (kind === 'siegel' ? 'siegel' : undefined);
  if (wanted === undefined) return;
  const { aud } = claims;
  if (aud !== wanted && !(Array.isArray(aud) && aud.includes(wanted)))
    throw new RelyingPartyError('AUDIENCE_REFUSED');
}
