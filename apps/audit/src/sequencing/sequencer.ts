import { SiegelError } from '#contracts';
import { Worker } from 'node:worker_threads';
import { THREAD_LIMITS } from '../thread-limits.js';
import type { Anomaly } from './anomalies.js';
import type { CommitterData, CommitterMessage, GroupMessage } from './committer-messages.js';
import type { IncomingEvent } from './placer.js';
import type { OwnStatement } from './own-events.js';

export interface SequencerOptions {
  committer: CommitterData;
  /** Events that may wait; more are refused. */
  maxQueued: number;
  /** Called after each commit that added entries. */
  onCommit: (head: number, appended: number, milliseconds: number) => void;
  /** Called if the committer thread ended by itself; the process cannot go on. */
  onFailure: (error: Error) => void;
  /** Called if another process sequences now, or the store is out of reach: this one must not go on as it is. */
  onLost?: (message: string) => void;
}

/** The event may or may not be stored: whoever sent it must hear nothing, and ask again. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

interface Waiting {
  event: IncomingEvent;
  resolve: (reply: string) => void;
  reject: (error: SiegelError | OutcomeUnknown) => void;
}

const MAX_GROUP = 1_024;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
const TICK_MS = 500;
/** Time that events gather for one commit, in milliseconds. */
const GATHER_MS = 2;
/** A queue of this length is committed without gathering more. */
const ENOUGH = 64;

/**
 * Group commit: events that arrive while a commit is under way form the next one. The commit itself, with its fsync,
 * runs in a thread of its own. The queue is bounded in number and bytes.
 */
export class Sequencer {
  #worker: Worker | undefined;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #inFlight: Waiting[] | undefined;
  #sentAt = 0;
  #lastGroup = 0;
  #statements: OwnStatement[] = [];
  #anomalies: Anomaly[] = [];
  #closing: { last: boolean; done: () => void } | undefined;
  #lost = false;
  #head = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: SequencerOptions) {}

  /** Starts the thread; resolves with the store's last position. @throws OutcomeUnknown if the term is over already */
  async start(): Promise<number> {
    const worker = new Worker(new URL('./committer-thread.js', import.meta.url), {
      workerData: this.options.committer,
      name: 'committer',
      resourceLimits: THREAD_LIMITS,
    });
    this.#worker = worker;
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (message: CommitterMessage) => {
        worker.off('error', reject);
        if (message.kind === 'lost') return reject(new OutcomeUnknown(message.message));
        if (message.kind === 'ready') this.#head = message.head;
        resolve();
      });
    });
    worker.on('error', (error) => this.options.onFailure(error as Error));
    worker.on('exit', () => this.#ended());
    worker.on('message', (message: CommitterMessage) => this.#finish(message));
    this.#timer = setInterval(() => this.#next(true), TICK_MS);
    return this.#head;
  }

  /** Position of the last committed entry. */
  get head(): number {
    return this.#head;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /**
   * Appends a verified event; resolves with the AppendReply as JSON once it is durable.
   * @throws SiegelError AUDIT_BACKPRESSURE, SHUTTING_DOWN, AUDIT_UNAVAILABLE, AUDIT_SEQUENCE_CONFLICT; OutcomeUnknown
   */
  append(event: IncomingEvent): Promise<string> {
    if (this.#lost) return Promise.reject(new OutcomeUnknown('the log is sequenced elsewhere'));
    if (this.#closing) return Promise.reject(new SiegelError('SHUTTING_DOWN'));
    const bytes = this.#queuedBytes + event.entry.length;
    if (this.#queue.length >= this.options.maxQueued || bytes > MAX_QUEUED_BYTES) {
      return Promise.reject(new SiegelError('AUDIT_BACKPRESSURE'));
    }
    this.#queuedBytes = bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ event, resolve, reject });
      if (!this.#inFlight && this.#queue.length === 1) this.#gather();
    });
  }

  /**
   * Commits after the messages that are already here have joined; where events come several at a time, a moment later:
   * those who were just answered send their next ones, and a commit costs the same for one as for many.
   */
  #gather(): void {
    if (this.#lastGroup > 1) setTimeout(() => this.#next(), GATHER_MS);
    else setImmediate(() => this.#next());
  }

  /** Records an event of the audit service itself with the next commit. */
  record(statement: OwnStatement): void {
    this.#statements.push(statement);
    this.#next();
  }

  /** Counts an anomaly; the ledger in the thread decides what becomes an event. */
  note(anomaly: Anomaly): void {
    const same = this.#anomalies.find(
      ({ kind, emitter, epoch, tenant }) =>
        kind === anomaly.kind &&
        emitter === anomaly.emitter &&
        epoch === anomaly.epoch &&
        tenant === anomaly.tenant,
    );
    if (same) same.count += anomaly.count;
    else if (this.#anomalies.length < 256) this.#anomalies.push(anomaly);
    else this.#anomalies[0]!.count += anomaly.count;
  }

  /** Commits what is queued and what is pending, then ends the thread. New events are refused from now on. */
  async close(): Promise<void> {
    if (!this.#worker || this.#closing || this.#lost) return;
    clearInterval(this.#timer);
    await new Promise<void>((done) => {
      this.#closing = { last: false, done };
      this.#next();
    });
  }

  /** Ends without a last commit: the term is over. */
  async abandon(): Promise<void> {
    this.#lose('the term is over');
    await this.#worker?.terminate();
  }

  #next(tick = false): void {
    if (this.#inFlight || this.#closing?.last || this.#lost) return;
    const closing = this.#closing && this.#queue.length <= MAX_GROUP;
    if (this.#queue.length === 0 && this.#statements.length === 0 && !tick && !closing) return;
    const group = this.#queue.splice(0, MAX_GROUP);
    const size = group.reduce((sum, { event }) => sum + event.entry.length, 0);
    this.#queuedBytes -= size;
    const bytes = new Uint8Array(size);
    let offset = 0;
    const events = group.map(({ event: { entry, tenant, emitter, epoch, seq } }) => {
      bytes.set(entry, offset);
      offset += entry.length;
      return { tenant, emitter, epoch, seq, length: entry.length };
    });
    const message: GroupMessage = {
      bytes: bytes.buffer,
      events,
      statements: this.#statements,
      anomalies: this.#anomalies,
      last: closing === true,
    };
    this.#statements = [];
    this.#anomalies = [];
    if (this.#closing && closing) this.#closing.last = true;
    this.#inFlight = group;
    if (group.length > 0) this.#lastGroup = group.length;
    this.#sentAt = performance.now();
    this.#worker!.postMessage(message, [bytes.buffer]);
  }

  #finish(message: CommitterMessage): void {
    if (message.kind === 'lost') {
      this.#lose(message.message);
      this.options.onLost?.(message.message);
      return;
    }
    const group = this.#inFlight ?? [];
    this.#inFlight = undefined;
    if (message.kind === 'commit') {
      const { head, appended, results } = message.commit;
      this.#head = head;
      group.forEach(({ resolve, reject }, i) => {
        const result = results[i]!;
        if ('reply' in result) resolve(result.reply);
        else reject(new SiegelError(result.code, { detail: result.detail }));
      });
      if (appended > 0) this.options.onCommit(head, appended, performance.now() - this.#sentAt);
    } else if (message.kind === 'refused') {
      const reason = { code: 'STORE_FULL', message: message.message };
      for (const { reject } of group) reject(new SiegelError('AUDIT_UNAVAILABLE', { reason }));
    }
    if (this.#queue.length > 0 && this.#queue.length < ENOUGH && !this.#closing) this.#gather();
    else this.#next();
  }

  #lose(message: string): void {
    this.#lost = true;
    clearInterval(this.#timer);
    const waiting = [...(this.#inFlight ?? []), ...this.#queue];
    this.#inFlight = undefined;
    this.#queue = [];
    for (const { reject } of waiting) reject(new OutcomeUnknown(message));
    this.#closing?.done();
  }

  #ended(): void {
    if (this.#lost) return;
    const waiting = [...(this.#inFlight ?? []), ...this.#queue];
    this.#inFlight = undefined;
    this.#queue = [];
    for (const { reject } of waiting) reject(new SiegelError('AUDIT_UNAVAILABLE'));
    if (this.#closing) this.#closing.done();
    else this.options.onFailure(new Error('the committer thread ended'));
  }
}
