import { type SignedBatch, leafHash } from '#transparency';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { OwnLog } from '../own-log.js';
import type { EntryStore, KnownEntry } from './placing-store.js';

/** The writer's side of the tables `logs`, `batches` and `entries`. Everything runs inside the caller's transaction. */
export class EntryTable implements EntryStore {
  /** Row ids of the logs in the store, by their id in the configuration. */
  readonly #rows = new Map<number, number>();
  readonly #insert: StatementSync;
  readonly #insertBatch: StatementSync;
  readonly #find: StatementSync;
  readonly #batch: StatementSync;
  readonly #batchEntries: StatementSync;

  constructor(
    private readonly database: DatabaseSync,
    logs: readonly OwnLog[],
  ) {
    const add = database.prepare('INSERT INTO logs (origin) VALUES (?) ON CONFLICT (origin) DO NOTHING');
    const select = database.prepare('SELECT id FROM logs WHERE origin = ?');
    for (const { id, origin } of logs) {
      add.run(origin);
      this.#rows.set(id, (select.get(origin) as { id: number }).id);
    }
    this.#insert = database.prepare(
      'INSERT INTO entries (pos, log_id, idx, batch_id, epoch_id, seq, entry) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#insertBatch = database.prepare(
      'INSERT INTO batches (id, log_id, start, size, root, time, kid, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#find = database.prepare('SELECT idx, batch_id, entry FROM entries WHERE epoch_id = ? AND seq = ?');
    this.#batch = database.prepare(
      'SELECT origin, log_id, start, size, root, time, kid, signature FROM batches JOIN logs ON logs.id = log_id WHERE batches.id = ?',
    );
    this.#batchEntries = database.prepare(
      'SELECT entry FROM entries WHERE log_id = ? AND idx >= ? AND idx < ? ORDER BY idx',
    );
  }

  positions(): { head: number; nextBatch: number; lastTime: number } {
    const { head } = this.database.prepare('SELECT coalesce(max(pos), 0) AS head FROM entries').get() as {
      head: number;
    };
    const last = this.database.prepare('SELECT id, time FROM batches ORDER BY id DESC LIMIT 1').get() as
      { id: number; time: number } | undefined;
    return { head, nextBatch: (last?.id ?? 0) + 1, lastTime: last?.time ?? 0 };
  }

  sizeOf(log: number): number {
    const statement = this.database.prepare(
      'SELECT coalesce(max(idx) + 1, 0) AS size FROM entries WHERE log_id = ?',
    );
    return (statement.get(this.#rows.get(log)!) as { size: number }).size;
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
    this.#insert.run(pos, this.#rows.get(log)!, index, batch, epoch, seq, entry);
  }

  insertBatch(id: number, log: number, { start, size, root, time, kid, signature }: SignedBatch): void {
    this.#insertBatch.run(id, this.#rows.get(log)!, start, size, root, time, kid, signature);
  }

  find(epoch: number, seq: number): KnownEntry | undefined {
    const row = this.#find.get(epoch, seq) as
      { idx: number; batch_id: number; entry: Uint8Array } | undefined;
    return row && { index: row.idx, batchId: row.batch_id, entry: Buffer.from(row.entry) };
  }

  batchOf(id: number): { batch: SignedBatch; leaves: Buffer[] } {
    const row = this.#batch.get(id) as unknown as BatchRow;
    const { origin: log, start, size, root, time, kid, signature } = row;
    const entries = this.#batchEntries.all(row.log_id, start, start + size) as unknown as {
      entry: Uint8Array;
    }[];
    return {
      batch: { log, start, size, root, time, kid, signature },
      leaves: entries.map(({ entry }) => leafHash(entry)),
    };
  }
}

interface BatchRow {
  origin: string;
  log_id: number;
  start: number;
  size: number;
  root: Uint8Array;
  time: number;
  kid: string;
  signature: Uint8Array;
}
