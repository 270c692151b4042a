import type { AuthorityStore } from './authority-store.js';
import { PkiError } from './pki-error.js';
import type { Signer } from './signer.js';
import { isTrustDomain } from './subject-names.js';

export interface MeshCaOptions {
  /** Directory of the authority's state; without it (and without `store`) it lives in memory. */
  dir?: string;
  store?: AuthorityStore;
  /** SPIFFE trust domain, e.g. `shop.example`. */
  trustDomain: string;
  /** Default: the system's. */
  clock?: () => Date;
  /** The root's key where it is not local (a vault's ES256 key). */
  rootSigner?: Signer;
  /** Default 3652 (ten years). */
  rootDays?: number;
  /** Default 365. */
  intermediateDays?: number;
  /** Bounds of a leaf's lifetime, in seconds. Default 60 and 2,592,000 (30 days). */
  minLeafTtlSeconds?: number;
  maxLeafTtlSeconds?: number;
  /** How far in the past validity begins, for clocks that are behind: 0 to 60 s. Default 30. */
  backdateSeconds?: number;
  /** Remaining life of an intermediate at which its successor is made. Default: the longest leaf's, plus a day. */
  rotateBeforeSeconds?: number;
}

export interface MeshCaSettings {
  trustDomain: string;
  clock: () => Date;
  rootDays: number;
  intermediateDays: number;
  minLeafTtlSeconds: number;
  maxLeafTtlSeconds: number;
  backdateSeconds: number;
  rotateBeforeSeconds: number;
}

const DAY_SECONDS = 86_400;

/** Fills in defaults; throws SETTING_INVALID with the setting's name. */
export function meshCaSettings(options: MeshCaOptions): MeshCaSettings {
  const { trustDomain, clock = () => new Date() } = options;
  if (!isTrustDomain(trustDomain)) throw new PkiError('SETTING_INVALID', 'trustDomain');
  const rootDays = within('rootDays', options.rootDays ?? 3652, 1, 36_500);
  const intermediateDays = within('intermediateDays', options.intermediateDays ?? 365, 1 / 24, rootDays);
  const life = intermediateDays * DAY_SECONDS;
  // By default a leaf may take up to half of its intermediate's life, so that short-lived intermediates work too.
  const maxDefault = Math.min(30 * DAY_SECONDS, life / 2);
  const maxLeafTtlSeconds = within('maxLeafTtlSeconds', options.maxLeafTtlSeconds ?? maxDefault, 1, life);
  // Below the whole life, or every leaf would ask for a new intermediate.
  const rotateLimit = 0.9 * life;
  const rotateDefault = Math.min(
    maxLeafTtlSeconds + DAY_SECONDS,
    (maxLeafTtlSeconds + life) / 2,
    rotateLimit,
  );
  return {
    trustDomain,
    clock,
    rootDays,
    intermediateDays,
    maxLeafTtlSeconds,
    minLeafTtlSeconds: within(
      'minLeafTtlSeconds',
      options.minLeafTtlSeconds ?? Math.min(60, maxLeafTtlSeconds),
      1,
      maxLeafTtlSeconds,
    ),
    backdateSeconds: Math.floor(within('backdateSeconds', options.backdateSeconds ?? 30, 0, 60)),
    rotateBeforeSeconds: within(
      'rotateBeforeSeconds',
      options.rotateBeforeSeconds ?? rotateDefault,
      0,
      rotateLimit,
    ),
  };
}

function within(name: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max))
    throw new PkiError('SETTING_INVALID', `${name} must be between ${min} and ${max}`);
  return value;
}
