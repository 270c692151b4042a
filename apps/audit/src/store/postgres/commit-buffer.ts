import type { SignedBatch } from '#transparency';
import type { EntryStore, EpochRow, EpochStore, KnownEntry } from '../../sequencing/placing-store.js';

/** What the store held when the buffer was opened. */
export interface StoredPositions {
  head: number;
  nextBatch: number;
  lastTime: number;
  nextEpoch: number;
  /** Row id and number of entries of each log, by its id in the configuration. */
  logs: ReadonlyMap<number, { row: number; size: number }>;
}

export interface BufferedEntry {
  pos: number;
  log: number;
  index: number;
  batch: number;
  epoch: number;
  seq: number;
  time: number;
  entry: Uint8Array;
}
export interface BufferedBatch extends SignedBatch {
  id: number;
  row: number;
}
export interface BufferedEpoch {
  id: number;
  emitter: string;
  epoch: string;
  next: number;
  missing: string;
}

/** What one commit writes. */
export interface BufferedWrites {
  entries: BufferedEntry[];
  batches: BufferedBatch[];
  epochs: BufferedEpoch[];
  /** Entries of each log after it, by row id. */
  sizes: Map<number, number>;
}

const keyOf = (epoch: number, seq: number): string => `${epoch}/${seq}`;
const nameOf = (emitter: string, epoch: string): string => `${emitter}\n${epoch}`;

/**
 * The store as placing sees it, in memory: what a group can need was read ahead, what it writes is taken out at once.
 * Only the holder of the term writes, so what was read stays true for as long as its commits succeed.
 */
export class CommitBuffer implements EntryStore, EpochStore {
  readonly known = new Map<string, KnownEntry>();
  readonly batches = new Map<number, { batch: SignedBatch; leaves: Buffer[] }>();
  readonly epochs = new Map<string, EpochRow>();
  openGaps: (EpochRow & { emitter: string; epoch: string })[] = [];
  readonly #names = new Map<number, { emitter: string; epoch: string }>();
  #nextEpoch: number;
  #epochsBefore: number;
  #entries: BufferedEntry[] = [];
  #batches: BufferedBatch[] = [];
  #saved = new Map<number, BufferedEpoch>();
  /** Of the entries that are not committed: one group may have an event twice. */
  #pending = new Map<string, KnownEntry>();

  constructor(private readonly stored: StoredPositions) {
    this.#nextEpoch = this.#epochsBefore = stored.nextEpoch;
  }

  positions(): { head: number; nextBatch: number; lastTime: number } {
    return this.stored;
  }

  sizeOf(log: number): number {
    return this.stored.logs.get(log)!.size;
  }

  insert(
    pos: number,
    log: number,
    index: number,
    batch: number,
    epoch: number,
    seq: number,
    entry: Uint8Array,
  ): void {
    this.#entries.push({ pos, log: this.#row(log), index, batch, epoch, seq, time: 0, entry });
    const { buffer, byteOffset, byteLength } = entry;
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.#pending.set(keyOf(epoch, seq), { index, batchId: batch, entry: bytes });
  }

  insertBatch(id: number, log: number, batch: SignedBatch): void {
    this.#batches.push({ ...batch, id, row: this.#row(log) });
  }

  find(epoch: number, seq: number): KnownEntry | undefined {
    const key = keyOf(epoch, seq);
    return this.#pending.get(key) ?? this.known.get(key);
  }

  batchOf(id: number): { batch: SignedBatch; leaves: Buffer[] } {
    return this.batches.get(id)!;
  }

  remember(epoch: number, seq: number, entry: KnownEntry): void {
    this.known.set(keyOf(epoch, seq), entry);
  }

  rememberEpoch(emitter: string, epoch: string, row: EpochRow): void {
    this.epochs.set(nameOf(emitter, epoch), row);
  }

  load(emitter: string, epoch: string): EpochRow | undefined {
    const row = this.epochs.get(nameOf(emitter, epoch));
    if (row) this.#names.set(row.id, { emitter, epoch });
    return row;
  }

  create(emitter: string, epoch: string): number {
    const id = this.#nextEpoch++;
    this.#names.set(id, { emitter, epoch });
    return id;
  }

  save(id: number, next: number, missing: string): void {
    this.#saved.set(id, { id, ...this.#names.get(id)!, next, missing });
  }

  withOpenGaps(): (EpochRow & { emitter: string; epoch: string })[] {
    for (const { id, emitter, epoch } of this.openGaps) this.#names.set(id, { emitter, epoch });
    return this.openGaps;
  }

  /** What is to be written; the entries have the time of their batch. */
  writes(): BufferedWrites {
    const times = new Map(this.#batches.map(({ id, time }) => [id, time]));
    for (const entry of this.#entries) entry.time = times.get(entry.batch)!;
    const sizes = new Map<number, number>();
    for (const { log, index } of this.#entries) sizes.set(log, index + 1);
    return { entries: this.#entries, batches: this.#batches, epochs: [...this.#saved.values()], sizes };
  }

  /** Forgets what was read ahead and written: it is committed. */
  committed(): void {
    this.#epochsBefore = this.#nextEpoch;
    this.#clear();
  }

  /** Forgets it all: nothing of it was committed. */
  discard(): void {
    this.#nextEpoch = this.#epochsBefore;
    this.#clear();
  }

  #clear(): void {
    this.#entries = [];
    this.#batches = [];
    this.#saved = new Map();
    this.#pending = new Map();
    this.known.clear();
    this.batches.clear();
    this.epochs.clear();
  }

  #row(log: number): number {
    return this.stored.logs.get(log)!.row;
  }
}
