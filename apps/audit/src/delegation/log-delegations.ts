import { type PublicJwk, type Signer, signLogDelegation } from '#pki';
import { formatVerifierKey } from '#transparency';
import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';

export interface PublishedDelegation {
  /** Thumbprint of the authority's key; auditors pin it. */
  readonly kid: string;
  /** Compact JWS. */
  readonly delegation: string;
  readonly notAfter: string;
  /** Public key of the authority, for finding it in the vault; trust it only from there. */
  readonly jwk: PublicJwk;
}

export interface DelegationSettings {
  /** Origins of the logs. */
  readonly origins: readonly string[];
  /** The logs' Ed25519 keys: during a change of keys, both. */
  readonly logKeys: readonly KeyObject[];
  readonly lifeSeconds: number;
}

interface Kept extends PublishedDelegation {
  readonly vkey: string;
  readonly origin: string;
  readonly renewAt: number;
  readonly endsAt: number;
}

const CLOCK_SKEW_MS = 60_000;

/**
 * What a vault's key says about the log's own key. Key Vault has no Ed25519, which C2SP checkpoints need, so the vault's key signs no
 * checkpoint: it signs that the log's key is the log's, for a short time, again and again.
 * While a new version of the vault's key follows an old one, there is a delegation by each.
 */
export class LogDelegations {
  private kept: readonly Kept[] = [];

  constructor(private readonly settings: DelegationSettings) {}

  /** Delegations of a log that hold now, the newest authority's first. */
  of(origin: string, now: Date): PublishedDelegation[] {
    return this.kept
      .filter((kept) => kept.origin === origin && kept.endsAt > now.getTime())
      .map(({ kid, delegation, notAfter, jwk }) => ({ kid, delegation, notAfter, jwk }))
      .reverse();
  }

  /**
   * Makes the delegations that are missing or past half of their life, by every usable version of the authority's key, oldest first.
   * Those of a version that is no longer usable are withdrawn. Throws SIGNER_FAILED; what there is stays published.
   */
  async renew(authorities: readonly Signer[], now: Date): Promise<void> {
    const { origins, logKeys, lifeSeconds } = this.settings;
    const wanted = origins.flatMap((origin) =>
      logKeys.map((key) => ({ origin, vkey: formatVerifierKey(origin, createPublicKey(key)) })),
    );
    const usable = new Set(authorities.map(({ kid }) => kid));
    this.kept = this.kept.filter(({ kid }) => usable.has(kid));
    const next: Kept[] = [];
    for (const authority of authorities) {
      for (const { origin, vkey } of wanted) {
        const known = this.kept.find((kept) => kept.kid === authority.kid && kept.vkey === vkey);
        if (known !== undefined && now.getTime() < known.renewAt) {
          next.push(known);
          continue;
        }
        const notBefore = new Date(now.getTime() - CLOCK_SKEW_MS);
        const notAfter = new Date(now.getTime() + lifeSeconds * 1_000);
        next.push({
          origin,
          vkey,
          kid: authority.kid,
          delegation: await signLogDelegation({ origin, vkey, notBefore, notAfter }, authority),
          notAfter: notAfter.toISOString(),
          jwk: authority.jwk(),
          renewAt: now.getTime() + lifeSeconds * 500,
          endsAt: notAfter.getTime(),
        });
      }
    }
    this.kept = next;
  }
}
