import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { LogProgress } from '../index/log-progress.js';
import type { LoggedEvent, ScopedFilters } from './query-schema.js';
import type { Reader } from './reader.js';

const PAGE = 100;
const HEARTBEAT_MS = 15_000;

/**
 * One subscriber of the live stream (text/event-stream). It reads from the index at its own pace, so a slow subscriber
 * costs nobody anything, and one that comes back names the last event it saw and misses none.
 */
export class LiveStream {
  #closed = false;
  #wake: (() => void) | undefined;
  #drained: (() => void) | undefined;

  constructor(
    private readonly reader: Reader,
    private readonly follower: LogProgress,
    private readonly filters: ScopedFilters,
  ) {}

  /** Writes events behind `position` until the subscriber goes or `close` is called. */
  async run(reply: FastifyReply, position: number): Promise<void> {
    reply.hijack();
    const response = reply.raw;
    const wake = (): void => this.#wake?.();
    response.on('close', () => this.close());
    response.on('drain', () => this.#drained?.());
    this.follower.on('indexed', wake);
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 1000\n\n');
    try {
      await this.#pump(response, position);
    } finally {
      this.follower.off('indexed', wake);
      response.end();
    }
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
    this.#drained?.();
  }

  async #pump(response: ServerResponse, start: number): Promise<void> {
    let position = start;
    while (!this.#closed) {
      const target = this.follower.indexed;
      const query = { filters: this.filters, order: 'oldest' as const, after: position, limit: PAGE };
      const page = await this.reader.call('search', query);
      for (const event of page.events) {
        if (!response.write(formatEvent(event)))
          await new Promise<void>((resolve) => (this.#drained = resolve));
        if (this.#closed) return;
      }
      position = Math.max(page.searchedTo, position);
      if (!page.more && this.follower.indexed <= target && !this.#closed) {
        if (!(await this.#news())) response.write(': still here\n\n');
      }
    }
  }

  /** Waits for an entry to be indexed; false if none was for the time of a heartbeat. */
  #news(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(false), HEARTBEAT_MS);
      const finish = (news: boolean): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(news);
      };
      this.#wake = () => finish(true);
    });
  }
}

const formatEvent = (event: LoggedEvent): string =>
  `id: ${event.position}\nevent: ${event.event.type}\ndata: ${JSON.stringify(event)}\n\n`;
