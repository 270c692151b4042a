const MAX_SOURCES = 10_000;
const MINUTE_MS = 60_000;

/**
 * How often one address may fail in a minute. Only failures count, so that nobody can keep the holders of the recovery keys out by
 * trying; the number of addresses that are remembered is bounded, the ones seen longest ago go first.
 */
export class AttemptLimit {
  private readonly failures = new Map<string, { left: number; at: number }>();

  constructor(
    private readonly perMinute: number,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Seconds until the next attempt of this address; 0: now. */
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
    if (!known) return this.perMinute;
    return Math.min(this.perMinute, known.left + ((this.clock() - known.at) / MINUTE_MS) * this.perMinute);
  }
}
