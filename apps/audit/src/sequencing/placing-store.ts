import type { SignedBatch } from '#transparency';

/** An event that has its place, with what is needed to answer its repetition. */
export interface KnownEntry {
  index: number;
  batchId: number;
  entry: Buffer;
}

/** One run of one emitter as it is stored; `missing` is JSON, see numbering.ts. */
export interface EpochRow {
  id: number;
  next_seq: number;
  missing: string;
}

/**
 * The store as placing a group sees it. It is synchronous, as node:sqlite is; what does not answer at once (PostgreSQL)
 * reads ahead what a group can need and writes behind.
 */
export interface EntryStore {
  /** Where the store ended: last position, next batch number, time of the last commit (0 if none). */
  positions(): { head: number; nextBatch: number; lastTime: number };
  /** Entries of a log, by its id in the configuration. */
  sizeOf(log: number): number;
  insert(
    pos: number,
    log: number,
    index: number,
    batch: number,
    epoch: number,
    seq: number,
    entry: Uint8Array,
  ): void;
  insertBatch(id: number, log: number, batch: SignedBatch): void;
  /** The event that an emitter's number belongs to. */
  find(epoch: number, seq: number): KnownEntry | undefined;
  /** A committed batch with the leaf hashes of its entries, from which any of its promises can be cut again. */
  batchOf(id: number): { batch: SignedBatch; leaves: Buffer[] };
}

/** The numbering of every emitter's every epoch, in the store. */
export interface EpochStore {
  load(emitter: string, epoch: string): EpochRow | undefined;
  /** A new epoch whose next number is 1; its id. */
  create(emitter: string, epoch: string): number;
  save(id: number, next: number, missing: string): void;
  /** Epochs that may have a gap that is not reported. */
  withOpenGaps(): (EpochRow & { emitter: string; epoch: string })[];
}
