import type { Clock } from '../clock.js';

export interface CircuitBreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open at first; doubles with each failed probe up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

export type CircuitState = 'closed' | 'open' | 'half-open';

/** Holds requests back from a vault that does not answer, and lets one through at a time to see whether it does again. */
export class CircuitBreaker {
  private failures = 0;
  private openings = 0;
  private openUntil = 0;
  private probing = false;
  private lastFailure = '';

  constructor(
    private readonly options: CircuitBreakerOptions,
    private readonly clock: Clock,
  ) {}

  get state(): CircuitState {
    if (this.openings === 0) return 'closed';
    return this.clock.monotonic() < this.openUntil ? 'open' : 'half-open';
  }

  /** The failure that opened it. */
  get reason(): string {
    return this.lastFailure;
  }

  /** 0 if a request may go now (it must report back), else the milliseconds until one may. */
  admit(): number {
    switch (this.state) {
      case 'closed':
        return 0;
      case 'open':
        return Math.max(1, Math.ceil(this.openUntil - this.clock.monotonic()));
      case 'half-open':
        if (this.probing) return Math.max(1, Math.ceil(this.options.openMs / 10));
        this.probing = true;
        return 0;
    }
  }

  succeeded(): void {
    this.failures = 0;
    this.openings = 0;
    this.probing = false;
  }

  failed(reason: string): void {
    this.lastFailure = reason;
    this.failures++;
    const wasProbe = this.probing;
    this.probing = false;
    if (!wasProbe && this.failures < this.options.failures) return;
    // Requests that were under way when it opened must not lengthen the time that it stays open.
    if (!wasProbe && this.state === 'open') return;
    this.openings++;
    const { openMs, maxOpenMs } = this.options;
    this.openUntil = this.clock.monotonic() + Math.min(maxOpenMs, openMs * 2 ** (this.openings - 1));
  }
}
