import { hash } from 'node:crypto';
import { PkiError } from './pki-error.js';

/** `fresh`: seen for the first time and remembered. `full`: cannot be remembered, so must be refused. */
export type ReplayVerdict = 'fresh' | 'replayed' | 'full';

/**
 * Remembers identifiers until they expire by themselves. The expiry must follow from the identifier (the iat of a
 * proof, the expiry in a challenge), the same each time. An implementation may be shared between replicas.
 */
export interface ReplayStore {
  claim(id: string, expiresAt: Date, now: Date): ReplayVerdict | Promise<ReplayVerdict>;
}

/**
 * Remembers at most `maxEntries` identifiers in this process, each until it expires, and fails closed: an entry that
 * has not expired is never evicted, because that would let it be replayed; when all places are taken, the answer is
 * `full`. Identifiers are kept as SHA-256, so an entry takes the same memory (about 150 octets) whatever it names.
 */
export class ReplayCache implements ReplayStore {
  readonly #seen = new Set<string>();
  /** Ids by the second in which they expire; each id is in one bucket. */
  readonly #buckets = new Map<number, string[]>();
  readonly #maxEntries: number;
  #sweptTo = -Infinity;

  constructor({ maxEntries = 100_000 }: { maxEntries?: number } = {}) {
    if (!(maxEntries >= 1)) throw new PkiError('SETTING_INVALID', 'maxEntries');
    this.#maxEntries = maxEntries;
  }

  /** How many identifiers are remembered. */
  get size(): number {
    return this.#seen.size;
  }

  claim(id: string, expiresAt: Date, now: Date): ReplayVerdict {
    this.#sweep(now);
    const key = hash('sha256', id, 'base64url');
    if (this.#seen.has(key)) return 'replayed';
    if (this.#seen.size >= this.#maxEntries) return 'full';
    const second = Math.ceil(expiresAt.getTime() / 1000);
    // Before the last sweep nothing is known any more (a clock that was set back): not to be called fresh. The same
    // holds for what has expired already, which the caller's own check of time refuses first.
    if (!(second * 1000 >= now.getTime() && second >= this.#sweptTo)) return 'full';
    this.#seen.add(key);
    const bucket = this.#buckets.get(second);
    if (bucket === undefined) this.#buckets.set(second, [key]);
    else bucket.push(key);
    return 'fresh';
  }

  /** Drops the buckets whose second is over, at most once a second. */
  #sweep(now: Date): void {
    const second = Math.floor(now.getTime() / 1000);
    if (!(second > this.#sweptTo)) return;
    this.#sweptTo = second;
    for (const [expiry, keys] of this.#buckets) {
      if (expiry >= second) continue;
      for (const key of keys) this.#seen.delete(key);
      this.#buckets.delete(expiry);
    }
  }
}
