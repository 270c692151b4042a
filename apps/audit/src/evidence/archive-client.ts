import { SiegelError } from '#contracts';
import { Worker } from 'node:worker_threads';
import type { ArchiveReader, ArchiveWriter, EvidenceInfo, KeptEvidence, Purged } from './archive.js';
import { THREAD_LIMITS } from '../thread-limits.js';
import type { ArchiveCalls, ArchiveData, ArchiveReply } from './archive-messages.js';

interface Waiter {
  resolve: (result: never) => void;
  reject: (error: Error) => void;
}

/** The embedded archive, in a thread of its own: sealing and writing evidence takes its time, not that of the thread that answers emitters. */
export class ArchiveClient implements ArchiveReader, ArchiveWriter {
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
      if ('failure' in reply && reply.code !== undefined) waiter?.reject(new SiegelError(reply.code));
      else if ('failure' in reply) {
        const reason = { code: reply.name, message: reply.failure };
        waiter?.reject(new SiegelError('INTERNAL', { reason, cause: new Error(reply.failure) }));
      } else waiter?.resolve(reply.result as never);
    });
  }

  mark(): Promise<number | undefined> {
    return this.#call('mark', undefined);
  }

  commit(evidence: readonly KeptEvidence[], mark: number): Promise<void> {
    return this.#call('commit', { evidence: [...evidence], mark });
  }

  known(digests: readonly string[]): Promise<string[]> {
    return this.#call('known', [...digests]);
  }

  info(sha256: string): Promise<EvidenceInfo | undefined> {
    return this.#call('info', sha256);
  }

  async read(sha256: string): Promise<Buffer | undefined> {
    const bytes = await this.#call('read', sha256);
    return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  erase(sha256: string): Promise<boolean> {
    return this.#call('erase', sha256);
  }

  collateral(id: string): Promise<string | undefined> {
    return this.#call('collateral', id);
  }

  putCollateral(id: string, bundle: string): Promise<void> {
    return this.#call('putCollateral', { id, bundle });
  }

  purge(): Promise<Purged> {
    return this.#call('purge', undefined);
  }

  async close(): Promise<void> {
    await this.#call('close', undefined).catch(() => undefined);
    await this.#worker.terminate();
  }

  /** @throws SiegelError INTERNAL, SHUTTING_DOWN, what the archive throws */
  #call<Name extends keyof ArchiveCalls>(
    name: Name,
    argument: ArchiveCalls[Name]['argument'],
  ): Promise<ArchiveCalls[Name]['result']> {
    const call = ++this.#calls;
    return new Promise((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
      this.#worker.postMessage({ call, name, argument });
    });
  }
}
