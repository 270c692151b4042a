import { SiegelError } from '#contracts';
import { Worker } from 'node:worker_threads';
import { THREAD_LIMITS } from '../thread-limits.js';
import type { ArchiveCalls, ArchiveData, ArchiveReply } from './archive-messages.js';

interface Waiter {
  resolve: (result: never) => void;
  reject: (error: Error) => void;
}

/** The archive's thread: sealing and writing evidence takes its time, not that of the thread that answers emitters. */
export class ArchiveClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiter>();
  #calls = 0;

  constructor(data: ArchiveData, onFailure: (error: Error) => void) {
    this.#worker = new Worker(new URL('./archive-thread.js', import.meta.url), {
      workerData: data,
      name: 'evidence',
      resourceLimits: THREAD_LIMITS,
    });
    this.#worker.on('error', (error) => onFailure(error as Error));
    this.#worker.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new SiegelError('SHUTTING_DOWN'));
      this.#waiting.clear();
    });
    this.#worker.on('message', (reply: ArchiveReply) => {
      const waiter = this.#waiting.get(reply.call);
      this.#waiting.delete(reply.call);
      if ('failure' in reply) {
        const reason = { code: reply.name, message: reply.failure };
        waiter?.reject(new SiegelError('INTERNAL', { reason, cause: new Error(reply.failure) }));
      } else waiter?.resolve(reply.result as never);
    });
  }

  /** @throws SiegelError INTERNAL, SHUTTING_DOWN */
  call<Name extends keyof ArchiveCalls>(
    name: Name,
    argument: ArchiveCalls[Name]['argument'],
  ): Promise<ArchiveCalls[Name]['result']> {
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#worker.postMessage({ call, name, argument });
    });
  }

  async close(): Promise<void> {
    await this.call('close', undefined).catch(() => undefined);
    await this.#worker.terminate();
  }
}
