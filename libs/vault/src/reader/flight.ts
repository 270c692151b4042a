import type { VaultError } from '../errors.js';
import type { CachedKind, CachedValue } from './value-cache.js';

/** A value that was read, for all who wait for it. */
export interface Landed<K extends CachedKind> {
  readonly value: CachedValue<K>;
  readonly readAt: number;
}

/** One read of the vault that any number of callers wait for. */
export class Flight<K extends CachedKind> {
  private readonly outcome = Promise.withResolvers<Landed<K>>();
  private readonly early = Promise.withResolvers<Landed<K>>();
  private waiting = 0;
  private wipe: (() => void) | undefined;
  private sentAt: number | undefined;
  private outdated = false;

  constructor() {
    // A caller who gave up must not turn a failed read into an unhandled rejection.
    this.outcome.promise.catch(() => undefined);
    this.early.promise.catch(() => undefined);
  }

  /** The end of all attempts. */
  get result(): Promise<Landed<K>> {
    return this.outcome.promise;
  }

  /** As `result`, but fails with the first attempt that fails: for callers who have a value to fall back on. */
  get firstOutcome(): Promise<Landed<K>> {
    return this.early.promise;
  }

  /** Something newer was announced while the read was under way. */
  get isOutdated(): boolean {
    return this.outdated;
  }

  sent(at: number): void {
    this.sentAt = at;
    this.outdated = false;
  }

  attemptFailed(error: VaultError): void {
    this.early.reject(error);
  }

  /** A change was announced; a read that left before may still bring the older state. */
  announceChange(): void {
    if (this.sentAt !== undefined) this.outdated = true;
  }

  /** Whether its value will be as new as a caller needs who asked at this moment. */
  satisfies(askedAt: number, refresh: boolean): boolean {
    if (this.sentAt === undefined) return true;
    return !this.outdated && (!refresh || this.sentAt >= askedAt);
  }

  join(): void {
    this.waiting++;
  }

  /** The last one who waited lets the bytes be wiped. */
  leave(): void {
    if (--this.waiting === 0) this.wipe?.();
  }

  landed(landed: Landed<K>, wipe: () => void): void {
    this.wipe = wipe;
    this.outcome.resolve(landed);
    this.early.resolve(landed);
    if (this.waiting === 0) wipe();
  }

  failed(error: unknown): void {
    this.outcome.reject(error);
    this.early.reject(error);
  }
}
