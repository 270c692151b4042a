import { type CollateralKey, keyText } from '#collateral';
import { DcapError, type CollateralBundle } from '#dcap';
import { Logger } from '@nestjs/common';
import { Worker } from 'node:worker_threads';
import type { EpochFacts } from '../collateral/collateral-opener.js';
import type { VerifiedCollateral } from '../collateral/collateral-fetcher.js';
import type { Attempt, Findings } from './attempt.js';
import { MAX_WAITING, OVERLOADED, type VerificationEngine } from './verification-engine.js';
import type { FromWorker, Opened, ToWorker, WorkerSettings } from './worker-messages.js';

const START_TIMEOUT_MS = 10_000;
const RESPAWN_MS = 250;
/** Requests in a thread, some 2 ms of work, that do not call for another thread yet. */
const LITTLE = 16;

interface Batch {
  ids: number[];
  bodies: Uint8Array[];
  findings: (Findings | undefined)[];
}

interface Thread {
  readonly worker: Worker;
  readonly pending: Map<number, (attempt: Attempt) => void>;
  readonly opening: Map<number, { resolve(outcome: Opened): void; reject(error: Error): void }>;
  batch: Batch | undefined;
}

/** Verifies on worker threads: the event loop only moves bytes. Requests of one turn of the loop go to a thread in one message. */
export class WorkerPoolEngine implements VerificationEngine {
  private readonly log = new Logger(WorkerPoolEngine.name);
  private readonly threads = new Set<Thread>();
  private readonly collateral = new Map<string, ToWorker & { type: 'adopt' }>();
  private nextId = 0;
  private waiting = 0;
  private closing = false;

  private constructor(private readonly settings: WorkerSettings) {}

  /** Starts the threads; rejects if one cannot start. */
  static async start(count: number, settings: WorkerSettings): Promise<WorkerPoolEngine> {
    const pool = new WorkerPoolEngine(settings);
    try {
      await Promise.all(Array.from({ length: count }, () => pool.spawn()));
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  attempt(body: Uint8Array, findings?: Findings): Promise<Attempt> {
    const thread = this.choose();
    if (thread === undefined || this.waiting >= MAX_WAITING) return Promise.resolve(OVERLOADED);
    const id = this.nextId++;
    this.waiting++;
    return new Promise((settle) => {
      thread.pending.set(id, settle);
      if (thread.batch === undefined) {
        thread.batch = { ids: [], bodies: [], findings: [] };
        process.nextTick(() => this.send(thread));
      }
      thread.batch.ids.push(id);
      // A message is a view of a larger buffer of the connection; posting a view would copy all of it.
      thread.batch.bodies.push(new Uint8Array(body));
      thread.batch.findings.push(findings);
    });
  }

  adopt(key: CollateralKey, { bundle }: VerifiedCollateral): void {
    const message = { type: 'adopt', key, bundle } as const;
    this.collateral.set(keyText(key), message);
    for (const { worker } of this.threads) worker.postMessage(message);
  }

  async open(key: CollateralKey, bundle: CollateralBundle, at: Date): Promise<EpochFacts> {
    const thread = this.choose();
    if (thread === undefined) throw new Error('no verification thread is running');
    const id = this.nextId++;
    const outcome = await new Promise<Opened>((resolve, reject) => {
      thread.opening.set(id, { resolve, reject });
      thread.worker.postMessage({ type: 'open', id, key, bundle, at } satisfies ToWorker);
    });
    if ('facts' in outcome) return outcome.facts;
    const { code, message, step } = outcome.refused;
    throw new DcapError(code, message, step === undefined ? undefined : { step });
  }

  async close(): Promise<void> {
    this.closing = true;
    const threads = [...this.threads];
    this.threads.clear();
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    for (const thread of threads) this.abandon(thread, 'SHUTTING_DOWN');
  }

  /** The first thread that has little to do, so that requests share messages; under load the one with the least. */
  private choose(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of this.threads) {
      if (thread.pending.size < LITTLE) return thread;
      if (best === undefined || thread.pending.size < best.pending.size) best = thread;
    }
    return best;
  }

  private send(thread: Thread): void {
    const { batch } = thread;
    thread.batch = undefined;
    if (batch === undefined) return;
    const message: ToWorker = { type: 'attempt', ...batch };
    thread.worker.postMessage(
      message,
      batch.bodies.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }

  private async spawn(): Promise<void> {
    const worker = new Worker(new URL('./verification-thread.js', import.meta.url), {
      workerData: this.settings,
    });
    const thread: Thread = { worker, pending: new Map(), opening: new Map(), batch: undefined };
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('a verification thread did not start')),
        START_TIMEOUT_MS,
      );
      worker.once('message', () => {
        clearTimeout(timer);
        resolve();
      });
      worker.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
    }).catch(async (error: unknown) => {
      await worker.terminate();
      throw error;
    });
    worker.on('message', (message: FromWorker) => this.receive(thread, message));
    worker.on('error', (error) => this.log.error({ msg: 'a verification thread failed', err: error }));
    worker.once('exit', () => this.replace(thread));
    for (const message of this.collateral.values()) worker.postMessage(message);
    this.threads.add(thread);
  }

  private receive(thread: Thread, message: FromWorker): void {
    if (message.type === 'trouble') this.log.error(message.message);
    if (message.type === 'opened') {
      thread.opening.get(message.id)?.resolve(message.outcome);
      thread.opening.delete(message.id);
    }
    if (message.type !== 'done') return;
    message.ids.forEach((id, i) => {
      const settle = thread.pending.get(id);
      thread.pending.delete(id);
      this.waiting--;
      settle?.(message.attempts[i] as Attempt);
    });
  }

  /** A thread that ended takes its requests with it; they are answered, and another thread takes its place. */
  private replace(thread: Thread): void {
    if (this.closing) return;
    this.threads.delete(thread);
    this.abandon(thread, 'INTERNAL');
    this.log.error('a verification thread ended; starting another');
    setTimeout(() => {
      if (this.closing) return;
      this.spawn().catch((error: unknown) => {
        this.log.error({ msg: 'a verification thread cannot be replaced', err: error });
        if (!this.closing) this.replace({ ...thread, pending: new Map(), opening: new Map() });
      });
    }, RESPAWN_MS);
  }

  private abandon(thread: Thread, code: 'INTERNAL' | 'SHUTTING_DOWN'): void {
    this.waiting -= thread.pending.size;
    for (const settle of thread.pending.values()) settle({ kind: 'error', code, detail: '' });
    thread.pending.clear();
    for (const { reject } of thread.opening.values()) reject(new Error('the verification thread ended'));
    thread.opening.clear();
  }
}
