import type { Clock } from '../clock.js';

/**
 * Keeps reads under a budget in every window of ten seconds. Half of the budget may come at once and the other half flows in
 * evenly, so that no window, wherever it begins, sees more than the whole.
 */
export class TokenBucket {
  private readonly capacity: number;
  private readonly perMs: number;
  private level: number;
  private at: number;

  constructor(
    budgetPer10s: number,
    private readonly clock: Clock,
  ) {
    this.capacity = Math.max(1, Math.floor(budgetPer10s / 2));
    this.perMs = (budgetPer10s - this.capacity) / 10_000 || budgetPer10s / 10_000;
    this.level = this.capacity;
    this.at = clock.monotonic();
  }

  /**
   * Reserves one token: the milliseconds until it may be spent, in the order of the calls. When that is more than `maxWaitMs`
   * nothing is reserved, and the wait is given as a negative number.
   */
  reserve(maxWaitMs: number): number {
    const now = this.clock.monotonic();
    this.level = Math.min(this.capacity, this.level + (now - this.at) * this.perMs);
    this.at = now;
    // A tolerance for rounding: an integral level must not cost a wait of a fraction of a millisecond.
    const wait = this.level >= 1 - 1e-6 ? 0 : Math.ceil((1 - this.level) / this.perMs);
    if (wait > maxWaitMs) return -wait;
    this.level -= 1;
    return wait;
  }
}
