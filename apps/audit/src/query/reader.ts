import { SiegelError } from '#contracts';
import { Worker } from 'node:worker_threads';
import { THREAD_LIMITS } from '../thread-limits.js';
import type { ReaderCalls, ReaderData, ReaderFailure, ReaderReply } from './reader-messages.js';

const MAX_WAITING = 256;

interface Waiter {
  resolve: (result: never) => void;
  reject: (error: Error) => void;
}

/** The reader thread: searches take its time, not that of the thread that answers emitters. */
export class Reader {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiter>();
  #calls = 0;

  constructor(data: ReaderData, onFailure: (error: Error) => void) {
    this.#worker = new Worker(new URL('./reader-thread.js', import.meta.url), {
      workerData: data,
      name: 'reader',
      resourceLimits: THREAD_LIMITS,
    });
    this.#worker.on('error', (error) => onFailure(error as Error));
    this.#worker.on('exit', () => this.#fail());
    this.#worker.on('message', (reply: ReaderReply) => {
      const waiter = this.#waiting.get(reply.call);
      this.#waiting.delete(reply.call);
      if ('failure' in reply) {
        waiter?.reject(explain(reply.kind, reply.failure));
      } else waiter?.resolve(reply.result as never);
    });
  }

  /** @throws SiegelError OVERLOADED when too many calls wait; INTERNAL */
  call<Name extends keyof ReaderCalls>(
    name: Name,
    argument: ReaderCalls[Name]['argument'],
  ): Promise<ReaderCalls[Name]['result']> {
    if (this.#waiting.size >= MAX_WAITING) return Promise.reject(new SiegelError('OVERLOADED'));
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#worker.postMessage({ call, name, argument });
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(): void {
    for (const { reject } of this.#waiting.values()) reject(new SiegelError('SHUTTING_DOWN'));
    this.#waiting.clear();
  }
}

function explain(kind: ReaderFailure, message: string): SiegelError {
  const reason = { code: 'READ_FAILED', message };
  if (kind === 'too-much') return new SiegelError('QUERY_INVALID', { detail: message });
  if (kind === 'unreachable') return new SiegelError('AUDIT_STORE_UNAVAILABLE', { reason });
  return new SiegelError('INTERNAL', { reason, cause: new Error(message) });
}
