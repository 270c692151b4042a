import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { asBuffer, decodeBase64url, encodeBase64url } from './base64url.js';
import { PkiError } from './pki-error.js';
import type { PkiErrorCode } from './pki-error-catalogue.js';
import type { ReplayCache } from './replay-cache.js';

export type ChallengeErrorCode = Extract<PkiErrorCode, `CHALLENGE_${string}`>;

export interface Challenge {
  /** 64 octets as base64url (it must fit into report data whole): what the caller sends back. */
  challenge: string;
  /** The same octets, which the evidence binds. */
  nonce: Buffer;
  expiresAt: Date;
}

export type ChallengeVerdict =
  { ok: true; nonce: Buffer; expiresAt: Date } | { ok: false; code: ChallengeErrorCode };

export interface ChallengeMinterOptions {
  /** HMAC secrets of 32 octets or more, shared by all replicas; the first mints, all verify. */
  keys: readonly Uint8Array[];
  ttlSeconds: number;
  /** Allowed difference of the replicas' clocks, in seconds. Default 5. */
  clockSkewSeconds?: number;
  /** Where given, a challenge is accepted once (per cache: replicas share a store or route by client). */
  replay?: ReplayCache;
}

/*
 * Layout: version (1) ‖ key id (4) ‖ expiry, unix ms (6) ‖ random (21) ‖ HMAC-SHA-256 over all before it (32).
 * The key id is derived from the secret, so that key rotation needs no numbering that replicas must agree on.
 */
const VERSION = 1;
const MAC_AT = 32;
const LENGTH = 64;

interface MintingKey {
  id: Buffer;
  secret: Buffer;
}

/**
 * Makes and checks challenges without keeping any: each is authenticated by an HMAC, so any replica that has the
 * secret can check what another has minted.
 */
export class ChallengeMinter {
  #keys: readonly MintingKey[];
  readonly #ttlMs: number;
  readonly #skewMs: number;
  readonly #replay: ReplayCache | undefined;

  constructor({ keys, ttlSeconds, clockSkewSeconds = 5, replay }: ChallengeMinterOptions) {
    if (!(ttlSeconds > 0 && ttlSeconds <= 3600)) throw new PkiError('SETTING_INVALID', 'ttlSeconds');
    if (!(clockSkewSeconds >= 0 && clockSkewSeconds <= 60))
      throw new PkiError('SETTING_INVALID', 'clockSkewSeconds');
    this.#keys = mintingKeys(keys);
    this.#ttlMs = ttlSeconds * 1000;
    this.#skewMs = clockSkewSeconds * 1000;
    this.#replay = replay;
  }

  /** Replaces the secrets; keep the former first one in the list for `ttlSeconds` so that no challenge is lost. */
  rotate(keys: readonly Uint8Array[]): void {
    this.#keys = mintingKeys(keys);
  }

  mint(now: Date): Challenge {
    const [key] = this.#keys;
    if (key === undefined) throw new PkiError('SETTING_INVALID', 'keys');
    const expiresAt = new Date(now.getTime() + this.#ttlMs);
    const nonce = Buffer.alloc(LENGTH);
    nonce[0] = VERSION;
    key.id.copy(nonce, 1);
    nonce.writeUIntBE(expiresAt.getTime(), 5, 6);
    randomBytes(MAC_AT - 11).copy(nonce, 11);
    mac(key.secret, nonce).copy(nonce, MAC_AT);
    return { challenge: encodeBase64url(nonce), nonce, expiresAt };
  }

  /**
   * Checks a challenge; with a replay cache this also uses it up, unless `consume` is false (to look before
   * expensive work; the later consuming check decides).
   */
  check(challenge: string, now: Date, { consume = true }: { consume?: boolean } = {}): ChallengeVerdict {
    const nonce =
      typeof challenge === 'string' && challenge.length === 86 ? decodeBase64url(challenge) : undefined;
    if (nonce?.length !== LENGTH || nonce[0] !== VERSION) return { ok: false, code: 'CHALLENGE_MALFORMED' };
    const id = nonce.subarray(1, 5);
    const key = this.#keys.find((candidate) => candidate.id.equals(id));
    if (key === undefined || !timingSafeEqual(mac(key.secret, nonce), nonce.subarray(MAC_AT))) {
      return { ok: false, code: 'CHALLENGE_FORGED' };
    }
    const expiry = nonce.readUIntBE(5, 6);
    const time = now.getTime();
    // Written so that an invalid date is refused too.
    if (!(time < expiry)) return { ok: false, code: 'CHALLENGE_EXPIRED' };
    if (expiry > time + this.#ttlMs + this.#skewMs) return { ok: false, code: 'CHALLENGE_FROM_FUTURE' };
    const expiresAt = new Date(expiry);
    if (consume && this.#replay !== undefined) {
      const verdict = this.#replay.claim(challenge, expiresAt, now);
      if (verdict === 'replayed') return { ok: false, code: 'CHALLENGE_REPLAYED' };
      if (verdict === 'full') return { ok: false, code: 'CHALLENGE_CACHE_FULL' };
    }
    return { ok: true, nonce, expiresAt };
  }
}

function mintingKeys(secrets: readonly Uint8Array[]): MintingKey[] {
  if (secrets.length === 0 || secrets.length > 8)
    throw new PkiError('SETTING_INVALID', 'one to eight challenge keys');
  return secrets.map((secret) => {
    if (secret.length < 32) throw new PkiError('SETTING_INVALID', 'a challenge key has at least 32 octets');
    const own = Buffer.from(asBuffer(secret));
    const id = hash(
      'sha256',
      Buffer.concat([Buffer.from('siegel challenge key id\0'), own]),
      'buffer',
    ).subarray(0, 4);
    return { id, secret: own };
  });
}

function mac(secret: Buffer, nonce: Buffer): Buffer {
  return createHmac('sha256', secret).update(nonce.subarray(0, MAC_AT)).digest();
}
