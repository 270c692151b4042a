import { Logger } from '@nestjs/common';

const MAX_WAITING = 20_000;
const AT_ONCE = 4;
/** What comes within this time is written together. */
const COLLECT_MS = 20;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Writes in the background, by key: a few at a time, what waits for one key as one, and again until it is written. Bounded: what does
 * not fit is dropped, and the log says so.
 */
export class WriteQueue<T> {
  private readonly log = new Logger(WriteQueue.name);
  private readonly waiting = new Map<string, T>();
  private readonly active = new Map<string, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private closed = false;

  constructor(
    private readonly write: (key: string, item: T) => Promise<void>,
    private readonly merge: (waiting: T, next: T) => T,
  ) {}

  push(key: string, item: T): void {
    const other = this.waiting.get(key);
    if (other === undefined && this.waiting.size >= MAX_WAITING) {
      this.log.error(`${MAX_WAITING} records wait to be written; one was dropped`);
      return;
    }
    this.waiting.set(key, other === undefined ? item : this.merge(other, item));
    this.schedule(COLLECT_MS);
  }

  /** Writes what waits, as far as that succeeds now. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    while (this.waiting.size > 0 && this.failures === 0) {
      this.start();
      await Promise.all(this.active.values());
    }
    await Promise.all(this.active.values());
    if (this.waiting.size > 0) this.log.warn(`${this.waiting.size} records were not written`);
  }

  private schedule(pauseMs: number): void {
    if (this.closed || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.start();
    }, pauseMs);
    this.timer.unref();
  }

  private start(): void {
    for (const [key, item] of this.waiting) {
      if (this.active.size >= AT_ONCE) return;
      if (this.active.has(key)) continue;
      this.waiting.delete(key);
      this.active.set(key, this.run(key, item));
    }
  }

  private async run(key: string, item: T): Promise<void> {
    try {
      await this.write(key, item);
      this.failures = 0;
    } catch (error) {
      this.failures++;
      this.log.warn(`${key} could not be written yet: ${(error as Error).message}`);
      const newer = this.waiting.get(key);
      this.waiting.set(key, newer === undefined ? item : this.merge(item, newer));
    } finally {
      this.active.delete(key);
    }
    if (this.waiting.size === 0 || this.closed) return;
    if (this.failures === 0) this.start();
    else this.schedule(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 10), LONGEST_PAUSE_MS));
  }
}
