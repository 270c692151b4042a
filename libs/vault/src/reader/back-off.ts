import type { Clock } from '../clock.js';

/** Microsoft's own ladder for 429: 1, 2, 4, 8, 16 seconds (key-vault/general/overview-throttling). */
const LADDER_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;

/**
 * Back-off of one vault after 429, with full jitter, so that several replicas do not come back in step. The vault counts
 * refused requests too, hence one throttled read holds back all reads.
 */
export class ThrottleBackOff {
  private step = 0;
  private until = 0;

  constructor(
    private readonly clock: Clock,
    /** Uniform in [0, 1). */
    private readonly random: () => number,
  ) {}

  /** Milliseconds to hold back; 0 if reads may go. */
  remainingMs(): number {
    return Math.max(0, Math.ceil(this.until - this.clock.monotonic()));
  }

  /** A throttled answer came to a read that was sent at `sentAt` (monotonic). */
  throttled(sentAt: number, retryAfterMs?: number): void {
    // Answers to reads that left before the last one was noticed tell nothing new.
    if (this.step > 0 && sentAt < this.noticedAt) return;
    this.noticedAt = this.clock.monotonic();
    const ceiling = LADDER_MS[Math.min(this.step, LADDER_MS.length - 1)] ?? 16_000;
    this.step++;
    this.until = this.noticedAt + Math.max(retryAfterMs ?? 0, this.random() * ceiling);
  }

  succeeded(): void {
    this.step = 0;
  }

  private noticedAt = 0;
}

/** Delay before another attempt after a server error or a broken connection: full jitter below 200, 400, 800 … ms. */
export const retryDelayMs = (attempt: number, random: () => number): number =>
  random() * Math.min(5_000, 200 * 2 ** attempt);
