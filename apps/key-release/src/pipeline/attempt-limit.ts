const MAX_SOURCES = 10_000;
const MINUTE_MS = 60_000;

/**
 * How often somebody (an address, a service) may fail: `most` times at once, and `perMinute` on average. Only failures count, so that
 * who gets it right is not kept out by how often he asks; the number of those that are remembered is bounded, the ones seen longest ago
 * go first.
 */
export class AttemptLimit {
  private readonly failures = new Map<string, { left: number; at: number }>();

  constructor(
    private readonly perMinute: number,
    private readonly clock: () => number = Date.now,
    private readonly most = perMinute,
  ) {}

  /** Seconds until the next attempt; 0: now. */
  waitFor(source: string): number {
    const left = this.left(source);
    return left >= 1 ? 0 : Math.ceil(((1 - left) * MINUTE_MS) / this.perMinute / 1_000);
  }

  failed(source: string): void {
    const left = this.left(source) - 1;
    this.failures.delete(source);
    this.failures.set(source, { left, at: this.clock() });
    if (this.failures.size > MAX_SOURCES) this.failures.delete(this.failures.keys().next().value as string);
  }

  private left(source: string): number {
    const known = this.failures.get(source);
    if (!known) return this.most;
    return Math.min(this.most, known.left + ((this.clock() - known.at) / MINUTE_MS) * this.perMinute);
  }
}
