import { Worker } from 'node:worker_threads';
import { StoreError } from '../store/log-database.js';
import { FencedError } from '../store/fenced-error.js';
import { THREAD_LIMITS } from '../thread-limits.js';
import type { FollowerCommand, FollowerData, FollowerMessage } from './follower-messages.js';
import type { LogProgress } from './log-progress.js';

export interface FollowerHooks {
  onProblem: (message: string) => void;
  /** The thread ended by itself: the process cannot go on. */
  onFailure: (error: Error) => void;
  /** Another process leads. */
  onFenced: (message: string) => void;
}

/** The thread that follows the log while this process leads: fills the search index and publishes tiles and checkpoints. */
export class Follower {
  #worker: Worker | undefined;
  #closed = false;

  constructor(
    private readonly data: FollowerData,
    private readonly progress: LogProgress,
    private readonly hooks: FollowerHooks,
  ) {}

  /**
   * Resolves when index and tree are open.
   * @throws StoreError if the store cannot be continued, FencedError if another process leads
   */
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
        } else if (message.kind === 'hopeless') {
          this.#closed = true;
          reject(asError(message));
        } else if (message.kind === 'fenced') {
          this.#closed = true;
          reject(new FencedError(message.message));
          this.hooks.onFenced(message.message);
        } else if (message.kind === 'problem') this.hooks.onProblem(message.message);
        this.progress.take(message);
      });
    });
    this.progress.hurry = () => worker.postMessage('now' satisfies FollowerCommand);
    worker.on('error', (error) => this.hooks.onFailure(error as Error));
    worker.on('exit', () => {
      if (!this.#closed) this.hooks.onFailure(new Error('the follower thread ended'));
    });
  }

  /** There are new entries in the store. */
  notify(): void {
    this.#worker?.postMessage('committed' satisfies FollowerCommand);
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

  /** Ends the thread where it is: the term is over. */
  async abandon(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }
}

/** What cannot be continued is told from what may pass by the name that the error had in its thread. */
function asError({ name, message }: { name: string; message: string }): Error {
  if (name === 'StoreError' || name === 'TransparencyError') return new StoreError(message);
  return new Error(message);
}
