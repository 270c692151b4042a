import { createHash, createPublicKey, X509Certificate, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { TokenAlgorithm } from './compact-token.js';
import { RelyingPartyError } from './errors.js';

export interface PinnedKey {
  readonly key: KeyObject;
  /** The key's own; what a token says must equal it. */
  readonly alg: TokenAlgorithm;
}

const MAX_KEYS = 100;
const MAX_CERTIFICATE_CHARACTERS = 64 * 1024;
const MIN_RSA_BITS = 2_048;

/**
 * Reads the keys of one issuer (RFC 7517) by kid: by their members, or by the first certificate of `x5c` where those are missing, as in
 * `GET /certs` of Microsoft Azure Attestation. Keys that are not for signatures are left out.
 * @throws RelyingPartyError KEYS_MALFORMED, KEY_UNSUPPORTED
 */
export function pinnedKeys(jwks: unknown): ReadonlyMap<string, PinnedKey> {
  const list = (jwks as { keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(list) || list.length === 0 || list.length > MAX_KEYS)
    throw new RelyingPartyError('KEYS_MALFORMED', `A JWKS has 1 to ${MAX_KEYS} keys.`);
  const found = new Map<string, PinnedKey>();
  for (const [at, jwk] of (list as unknown[]).entries()) {
    const { kid, use } = (jwk ?? {}) as Record<string, unknown>;
    if (use !== undefined && use !== 'sig') continue;
    if (typeof kid !== 'string' || kid === '')
      throw new RelyingPartyError('KEYS_MALFORMED', `keys[${at}] has no kid.`);
    if (found.has(kid))
      throw new RelyingPartyError('KEYS_MALFORMED', `keys[${at}]: this kid stands there twice.`);
    const key = importKey(jwk as Record<string, unknown>, at);
    found.set(kid, { key, alg: algorithmOf(key, (jwk as Record<string, unknown>)['alg'], at) });
  }
  if (found.size === 0) throw new RelyingPartyError('KEYS_MALFORMED', 'No key is for signatures.');
  return found;
}

function importKey(jwk: Record<string, unknown>, at: number): KeyObject {
  const { kty, n, e, crv, x, y, x5c } = jwk;
  try {
    if (kty === 'RSA' && n !== undefined) return publicKey({ kty, n, e });
    if (kty === 'EC' && x !== undefined) return publicKey({ kty, crv, x, y });
    const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined;
    if (typeof first !== 'string' || first.length > MAX_CERTIFICATE_CHARACTERS) throw new Error('no key');
    const base64 = Buffer.from(first, 'base64').toString('base64');
    // As PEM: given DER, node:crypto would find the PEM chain inside of the quote that such certificates embed.
    const pem = `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
    return new X509Certificate(pem).publicKey;
  } catch {
    throw new RelyingPartyError('KEYS_MALFORMED', `keys[${at}] is no public key.`);
  }
}

function algorithmOf(key: KeyObject, stated: unknown, at: number): TokenAlgorithm {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  const alg: TokenAlgorithm | undefined =
    key.asymmetricKeyType === 'rsa' && modulusLength >= MIN_RSA_BITS
      ? 'RS256'
      : key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1'
        ? 'ES256'
        : undefined;
  if (alg === undefined || (stated !== undefined && stated !== alg))
    throw new RelyingPartyError('KEY_UNSUPPORTED', `keys[${at}] is not for RS256 or ES256.`);
  return alg;
}

const publicKey = (jwk: Record<string, unknown>): KeyObject =>
  createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });

const THUMBPRINT_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['e', 'kty', 'n'],
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
};

/** RFC 7638, SHA-256, base64url; undefined for what is no public key. */
export function thumbprintOf(jwk: unknown): string | undefined {
  const members = (jwk ?? {}) as Record<string, unknown>;
  const { kty } = members;
  // The peer may have chosen the text: it must not find what every object inherits.
  const names =
    typeof kty === 'string' && Object.hasOwn(THUMBPRINT_MEMBERS, kty) ? THUMBPRINT_MEMBERS[kty] : undefined;
  if (names === undefined || names.some((name) => typeof members[name] !== 'string')) return undefined;
  const canonical = JSON.stringify(Object.fromEntries(names.map((name) => [name, members[name]])));
  return createHash('sha256').update(canonical).digest('base64url');
}
