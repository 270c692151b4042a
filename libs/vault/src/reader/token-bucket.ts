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

  /** Takes one token and returns 0, or returns the milliseconds until there is one and takes none. */
  take(): number {
    const now = this.clock.monotonic();
    this.level = Math.min(this.capacity, this.level + (now - this.at) * this.perMs);
    this.at = now;
    // A tolerance for rounding: otherwise a sleeper can wake a hair before its token is there.
    if (this.level >= 1 - 1e-6) {
      this.level = Math.max(0, this.level - 1);
      return 0;
    }
    return Math.ceil((1 - this.level) / this.perMs);
  }
}
