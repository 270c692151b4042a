import { setTimeout as sleepFor } from 'node:timers/promises';

/**
 * Time as this library sees it. Everything that waits or compares ages takes one, so that tests move time by hand
 * instead of waiting for it.
 */
export interface Clock {
  /** Milliseconds since the epoch, for dates that the vault or the operator set. */
  now(): number;
  /** Milliseconds that never jump back, for ages and intervals. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `tick` every `ms` without keeping the process alive; the returned function ends it. */
  every(ms: number, tick: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, signal === undefined ? {} : { signal }),
  every: (ms, tick) => {
    const timer = setInterval(tick, ms).unref();
    return () => clearInterval(timer);
  },
};
