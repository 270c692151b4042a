import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { THREAD_LIMITS } from '../thread-limits.js';
import type { FollowerCommand, FollowerData, FollowerMessage } from './follower-messages.js';

/**
 * The thread that follows the log: fills the search index and publishes tiles and checkpoints. Emits `indexed`,
 * `checkpoint` and `cosigned` as they happen.
 */
export class Follower extends EventEmitter<{
  indexed: [];
  checkpoint: [log: number];
  cosigned: [log: number];
}> {
  #worker: Worker | undefined;
  #indexed = 0;
  #closed = false;
  readonly #sizes = new Map<number, number>();

  constructor(
    private readonly data: FollowerData,
    private readonly onProblem: (message: string) => void,
    private readonly onFailure: (error: Error) => void,
  ) {
    super();
    this.setMaxListeners(0);
  }

  /** Resolves when index and tree are open; rejects if the store cannot be continued. */
  async start(): Promise<void> {
    const worker = new Worker(new URL('./follower-thread.js', import.meta.url), {
      workerData: this.data,
      name: 'follower',
      resourceLimits: THREAD_LIMITS,
    });
    this.#worker = worker;
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.on('message', (message: FollowerMessage) => {
        if (message.kind === 'ready') {
          worker.off('error', reject);
          resolve();
        }
        this.#take(message);
      });
    });
    worker.on('error', (error) => this.onFailure(error as Error));
    worker.on('exit', () => {
      if (!this.#closed) this.onFailure(new Error('the follower thread ended'));
    });
  }

  /** Position of the last entry that searches find. */
  get indexed(): number {
    return this.#indexed;
  }

  /** Size of the last published checkpoint of a log. */
  published(log: number): number {
    return this.#sizes.get(log) ?? 0;
  }

  /** There are new entries in the store. */
  notify(): void {
    this.#worker?.postMessage('committed' satisfies FollowerCommand);
  }

  /** Waits until searches find the entry at `position`; false if that takes longer than `milliseconds`. */
  async waitIndexed(position: number, milliseconds: number): Promise<boolean> {
    if (this.#indexed < position) this.#worker?.postMessage('now' satisfies FollowerCommand);
    return this.#waitFor('indexed', () => this.#indexed >= position, milliseconds);
  }

  /** Waits until a checkpoint of the log has more than `index` entries; false if that takes too long. */
  async waitPublished(log: number, index: number, milliseconds: number): Promise<boolean> {
    return this.#waitFor('checkpoint', () => this.published(log) > index, milliseconds);
  }

  /** The next publication of the log's checkpoint with new cosignatures: whether it came within the time. */
  nextCosigned(log: number, milliseconds: number): { happened: Promise<boolean>; cancel: () => void } {
    let finish: (result: boolean) => void = () => undefined;
    const happened = new Promise<boolean>((resolve) => (finish = resolve));
    const check = (of: number): void => {
      if (of === log) end(true);
    };
    const timer = setTimeout(() => end(false), Math.max(milliseconds, 0));
    const end = (result: boolean): void => {
      clearTimeout(timer);
      this.off('cosigned', check);
      finish(result);
    };
    this.on('cosigned', check);
    return { happened, cancel: () => end(false) };
  }

  /** Publishes a last checkpoint and ends the thread. */
  async close(): Promise<void> {
    if (!this.#worker || this.#closed) return;
    this.#closed = true;
    const worker = this.#worker;
    await new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
      worker.postMessage('close' satisfies FollowerCommand);
    });
  }

  #waitFor(event: 'indexed' | 'checkpoint', holds: () => boolean, milliseconds: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.off(event, check);
        resolve(result);
      };
      const check = (): void => {
        if (holds()) finish(true);
      };
      const timer = setTimeout(() => finish(false), milliseconds);
      this.on(event, check);
    });
  }

  #take(message: FollowerMessage): void {
    switch (message.kind) {
      case 'ready':
        this.#indexed = message.indexed;
        for (const { log, size } of message.sizes) this.#sizes.set(log, size);
        break;
      case 'indexed':
        this.#indexed = message.position;
        this.emit('indexed');
        break;
      case 'checkpoint':
        this.#sizes.set(message.log, message.size);
        this.emit('checkpoint', message.log);
        break;
      case 'cosigned':
        this.emit('cosigned', message.log);
        break;
      case 'problem':
        this.onProblem(message.message);
    }
  }
}
