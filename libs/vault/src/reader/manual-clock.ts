import type { Clock } from '../clock.js';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that stands until it is moved, for tests of everything that waits. */
export class ManualClock implements Clock {
  private time = 0;
  private readonly sleepers: Sleeper[] = [];
  private readonly tickers: { every: number; next: number; tick: () => void }[] = [];

  constructor(private readonly epoch = Date.parse('2026-01-01T00:00:00Z')) {}

  now(): number {
    return this.epoch + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      this.sleepers.push({ at: this.time + ms, wake: resolve });
    });
  }

  every(ms: number, tick: () => void): () => void {
    const ticker = { every: ms, next: this.time + ms, tick };
    this.tickers.push(ticker);
    return () => void this.tickers.splice(this.tickers.indexOf(ticker), 1);
  }

  get sleeping(): number {
    return this.sleepers.length;
  }

  /** Moves time on, waking sleepers one after the other at their own times. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = this.sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.sleepers.splice(this.sleepers.indexOf(due), 1);
      this.time = Math.max(this.time, due.at);
      due.wake();
      await settle();
    }
    this.time = end;
    for (const ticker of this.tickers) {
      for (; ticker.next <= end; ticker.next += ticker.every) ticker.tick();
    }
  }
}

/** Lets everything that can go on without time go on. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
