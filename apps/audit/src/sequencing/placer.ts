import { type ErrorCode } from '#contracts';
import { MemoryTree, type SignedBatch, leafHash, promiseFromBatch, signBatch } from '#transparency';
import { type KeyObject, sign } from 'node:crypto';
import { type OwnLog, logOfTenant } from '../own-log.js';
import { type Anomaly, AnomalyLedger } from './anomalies.js';
import { type EpochState, Numbering, place } from './numbering.js';
import { type OwnEmitter, type OwnStatement, anomalyStatement } from './own-events.js';
import type { EntryStore, EpochStore } from './placing-store.js';

/** A verified event on its way into the log. `entry` is its canonical form, the leaf. */
export interface IncomingEvent {
  tenant: string;
  emitter: string;
  epoch: string;
  seq: number;
  entry: Uint8Array;
}

/** `reply` is the AppendReply as JSON: the promise, valid because the transaction that it speaks of is committed. */
export type CommitResult = { reply: string } | { code: ErrorCode; detail: string };

/** What one group commit did. */
export interface Commit {
  results: CommitResult[];
  /** Position of the last entry in the store. */
  head: number;
  /** New entries, own ones included. */
  appended: number;
}

export interface PlacerOptions {
  logs: readonly OwnLog[];
  logKey: KeyObject;
  own: OwnEmitter;
  gapGraceMs: number;
}

/** One log's part of a group commit. */
interface OpenBatch {
  log: OwnLog;
  id: number;
  start: number;
  leaves: Buffer[];
}

/** An event of this commit that got a place, or one that repeats it. */
interface Placed {
  batch: OpenBatch;
  index: number;
}

/** What a group changed in memory, to be taken back if it was not committed. */
interface Before {
  head: number;
  nextBatch: number;
  seq: number;
  sizes: [number, number][];
  anomalies: Anomaly[];
}

/**
 * Gives every event of a group its place, checks the emitters' numbering and signs once per log. The transaction is the
 * caller's: after `place` comes `confirm` once it is durable, or `undo`. Nothing may be answered before `confirm`.
 */
export class Placer {
  readonly #numbering: Numbering;
  readonly #ledger = new AnomalyLedger();
  readonly #sizes = new Map<number, number>();
  #head: number;
  #nextBatch: number;
  #lastTime: number;
  #time = 0;
  #before: Before | undefined;
  /** Batches whose events are repeated in this group: a whole group may be one repetition. */
  readonly #repeated = new Map<number, { batch: SignedBatch; tree: MemoryTree }>();

  constructor(
    private readonly entries: EntryStore,
    epochs: EpochStore,
    private readonly options: PlacerOptions,
  ) {
    this.#numbering = new Numbering(epochs);
    ({ head: this.#head, nextBatch: this.#nextBatch, lastTime: this.#lastTime } = entries.positions());
    for (const { id } of options.logs) this.#sizes.set(id, entries.sizeOf(id));
  }

  get head(): number {
    return this.#head;
  }

  get nextBatch(): number {
    return this.#nextBatch;
  }

  /** Remembers an anomaly that was seen before sequencing (a forged event); recorded with the next commit. */
  note(anomaly: Anomaly, now: number): void {
    this.#ledger.note(anomaly, now);
  }

  /** Whether a commit without events would record something by now. */
  hasDue(now: number): boolean {
    this.#noteOverdue(now);
    return this.#ledger.hasDue(now);
  }

  /** What is in memory of an emitter's epoch, for those who read ahead. */
  epoch(emitter: string, epoch: string): EpochState | undefined {
    return this.#numbering.peek(emitter, epoch);
  }

  /** Time of the commit that would be made now: the log's time never goes back. */
  timeOf(now: number): number {
    return Math.max(now, this.#lastTime);
  }

  place(
    events: readonly IncomingEvent[],
    statements: readonly OwnStatement[],
    now: number,
    last: boolean,
  ): Commit {
    this.#time = this.timeOf(now);
    const { seq } = this.options.own;
    const before = { head: this.#head, nextBatch: this.#nextBatch, seq, sizes: [...this.#sizes] };
    this.#before = { ...before, anomalies: [] };
    this.#repeated.clear();
    const batches = new Map<number, OpenBatch>();
    const placed = events.map((event) => this.#place(event, batches, now));
    this.#noteOverdue(now);
    const anomalies = last ? this.#ledger.drain() : this.#ledger.take(now);
    this.#before.anomalies = anomalies;
    for (const statement of [...statements, ...anomalies.map(anomalyStatement)])
      this.#appendOwn(statement, batches, now);
    const signed = new Map(
      [...batches.values()].map((batch) => [batch, this.#close(batch, this.#time)] as const),
    );
    this.#numbering.save();
    const results = placed.map((result) => ('batch' in result ? replyFor(result, signed) : result));
    return { results, head: this.#head, appended: this.#head - before.head };
  }

  confirm(): void {
    this.#lastTime = this.#time;
    this.#before = undefined;
  }

  /** Makes the state as it was before `place`. */
  undo(): void {
    this.#numbering.forget();
    if (!this.#before) return;
    const { head, nextBatch, seq, sizes, anomalies } = this.#before;
    this.#ledger.restore(anomalies);
    this.#head = head;
    this.#nextBatch = nextBatch;
    this.options.own.seq = seq;
    for (const [id, size] of sizes) this.#sizes.set(id, size);
    this.#before = undefined;
  }

  #place(event: IncomingEvent, batches: Map<number, OpenBatch>, now: number): Placed | CommitResult {
    const epoch = this.#numbering.epochOf(event.emitter, event.epoch);
    const expectedSeq = epoch.next;
    const placement = place(epoch, event.seq, now, event.tenant);
    if (placement === 'known') return this.#repeat(event, epoch, batches, now);
    if (placement === 'too-many-gaps') {
      return { code: 'AUDIT_SEQUENCE_CONFLICT', detail: 'too many numbers of this epoch are missing' };
    }
    if (placement === 'late') {
      this.#noteNumber(
        'reordered',
        event,
        now,
        expectedSeq,
        'EVENT_REORDERED',
        'An event came after later ones.',
      );
    }
    return this.#append(event, epoch, batches);
  }

  #append(event: IncomingEvent, epoch: EpochState, batches: Map<number, OpenBatch>): Placed {
    const log = logOfTenant(this.options.logs, event.tenant);
    const start = this.#sizes.get(log.id)!;
    let batch = batches.get(log.id);
    if (!batch) {
      batch = { log, id: this.#nextBatch++, start, leaves: [] };
      batches.set(log.id, batch);
    }
    const index = start;
    this.entries.insert(++this.#head, log.id, index, batch.id, epoch.id, event.seq, event.entry);
    batch.leaves.push(leafHash(event.entry));
    this.#sizes.set(log.id, index + 1);
    return { batch, index };
  }

  /** An event with a number that was seen: the same event gets the same promise, another one is a conflict. */
  #repeat(
    event: IncomingEvent,
    epoch: EpochState,
    batches: Map<number, OpenBatch>,
    now: number,
  ): Placed | CommitResult {
    const known = this.entries.find(epoch.id, event.seq);
    if (!known || !known.entry.equals(event.entry)) {
      this.#noteNumber(
        'duplicate',
        event,
        now,
        undefined,
        'NUMBER_REUSED',
        'Two events have the same number.',
      );
      return { code: 'AUDIT_SEQUENCE_CONFLICT', detail: `number ${event.seq} belongs to another event` };
    }
    this.#noteNumber('duplicate', event, now, undefined, 'EVENT_REPEATED', 'The same event came again.');
    const open = [...batches.values()].find(({ id }) => id === known.batchId);
    if (open) return { batch: open, index: known.index };
    const { batch, tree } = this.#committed(known.batchId);
    const promise = promiseFromBatch(batch, tree, known.index);
    return { reply: JSON.stringify({ promise }) };
  }

  #committed(id: number): { batch: SignedBatch; tree: MemoryTree } {
    let repeated = this.#repeated.get(id);
    if (!repeated) {
      const { batch, leaves } = this.entries.batchOf(id);
      repeated = { batch, tree: new MemoryTree(leaves) };
      this.#repeated.set(id, repeated);
    }
    return repeated;
  }

  #appendOwn(statement: OwnStatement, batches: Map<number, OpenBatch>, now: number): void {
    const { own } = this.options;
    const seq = own.seq;
    const entry = own.entry(statement, now);
    const epoch = this.#numbering.epochOf(own.name, own.epoch);
    place(epoch, seq, now, statement.tenant);
    this.#append(
      { tenant: statement.tenant, emitter: own.name, epoch: own.epoch, seq, entry },
      epoch,
      batches,
    );
  }

  #close(open: OpenBatch, time: number): { batch: SignedBatch; tree: MemoryTree } {
    const tree = new MemoryTree(open.leaves);
    const at = { log: open.log.origin, start: open.start, time, kid: open.log.kid };
    const batch = signBatch(at, tree, (statement) => sign(null, statement, this.options.logKey));
    this.entries.insertBatch(open.id, open.log.id, batch);
    return { batch, tree };
  }

  #noteOverdue(now: number): void {
    for (const { state, range } of this.#numbering.takeOverdue(now - this.options.gapGraceMs)) {
      const message = 'Events of this emitter did not arrive.';
      this.#ledger.note(
        {
          kind: 'gap',
          tenant: range.tenant,
          emitter: state.emitter,
          epoch: state.epoch,
          expectedSeq: range.from,
          seq: range.to,
          count: range.to - range.from + 1,
          reason: { code: 'EVENTS_MISSING', message },
        },
        now,
      );
    }
  }

  #noteNumber(
    kind: 'duplicate' | 'reordered',
    event: IncomingEvent,
    now: number,
    expectedSeq: number | undefined,
    code: string,
    message: string,
  ): void {
    const { tenant, emitter, epoch, seq } = event;
    const expected = expectedSeq === undefined ? {} : { expectedSeq };
    this.#ledger.note(
      { kind, tenant, emitter, epoch, seq, count: 1, ...expected, reason: { code, message } },
      now,
    );
  }
}

function replyFor(
  { batch, index }: Placed,
  signed: ReadonlyMap<OpenBatch, { batch: SignedBatch; tree: MemoryTree }>,
): CommitResult {
  const { batch: statement, tree } = signed.get(batch)!;
  return { reply: JSON.stringify({ promise: promiseFromBatch(statement, tree, index) }) };
}
