import { leafHash } from '#transparency';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { fieldValues } from './field-values.js';
import { DIGESTED_FACTS, NAMED_FACTS, type NamedFact } from './facts.js';
import type { Dictionary } from './index-database.js';
import { reasonText, wordsOf } from './reason-words.js';
import { leafDigest, parseEntry, sessionDigest, uuidBytes, valueDigest } from './indexed-fields.js';

const PAGE = 512;
const MAX_NAMES_IN_MEMORY = 20_000;
const NAMES = Object.entries(NAMED_FACTS) as [NamedFact, string][];
const DIGESTS = Object.entries(DIGESTED_FACTS);

interface StoredEntry {
  pos: number;
  log_id: number;
  idx: number;
  time: number;
  entry: Uint8Array;
}

/** Fills the search index from the log, from where it stopped. */
export class Indexer {
  readonly #names = new Map<string, number>();
  readonly #page: StatementSync;
  readonly #insert: StatementSync;
  readonly #insertWords: StatementSync;
  readonly #selectName: StatementSync;
  readonly #insertName: StatementSync;
  #position: number;

  constructor(
    log: DatabaseSync,
    private readonly index: DatabaseSync,
  ) {
    this.#page = log.prepare(
      `SELECT pos, entries.log_id, idx, time, entry FROM entries JOIN batches ON batches.id = batch_id
       WHERE pos > ? ORDER BY pos LIMIT ${PAGE}`,
    );
    this.#insert = index.prepare(
      `INSERT INTO events (pos, id, log, idx, time, tenant, type, outcome, emitter, reason, workload, mrenclave, tcb, session, leaf,
         ${[...NAMES, ...DIGESTS].map(([column]) => column).join(', ')})
       VALUES (${Array(15 + NAMES.length + DIGESTS.length)
         .fill('?')
         .join(', ')})`,
    );
    this.#insertWords = index.prepare('INSERT INTO reasons (rowid, words) VALUES (?, ?)');
    this.#selectName = index.prepare('SELECT id FROM names WHERE kind = ? AND value = ?');
    this.#insertName = index.prepare('INSERT INTO names (kind, value) VALUES (?, ?) RETURNING id');
    const last = index.prepare('SELECT coalesce(max(pos), 0) AS pos FROM events').get() as { pos: number };
    this.#position = last.pos;
  }

  /** Position of the last entry that is indexed. */
  get position(): number {
    return this.#position;
  }

  /** Indexes the next entries; the number of them, 0 when the index is complete. */
  advance(): number {
    const rows = this.#page.all(this.#position) as unknown as StoredEntry[];
    if (rows.length === 0) return 0;
    this.index.exec('BEGIN');
    try {
      for (const row of rows) this.#add(row);
      this.index.exec('COMMIT');
    } catch (error) {
      if (this.index.isTransaction) this.index.exec('ROLLBACK');
      // Names may have been given numbers in the transaction that is gone.
      this.#names.clear();
      throw error;
    }
    this.#position = rows.at(-1)!.pos;
    return rows.length;
  }

  #add({ pos, log_id: log, idx, time, entry }: StoredEntry): void {
    const { event } = parseEntry(entry);
    this.#insert.run(
      pos,
      uuidBytes(event.id),
      log,
      idx,
      time,
      this.#name('tenant', event.tenant)!,
      this.#name('type', event.type)!,
      this.#name('outcome', event.outcome)!,
      this.#name('emitter', event.emitter.name)!,
      this.#name('reason', event.reason?.code),
      this.#name('workload', event.workload),
      this.#name('mrenclave', event.mrenclave),
      this.#name('tcb', event.tcbStatus),
      event.session === undefined ? null : sessionDigest(event.session),
      leafDigest(leafHash(entry)),
      ...NAMES.map(([column, path]) => this.#name(column, fieldValues(event, path)[0])),
      ...DIGESTS.map(([, path]) => {
        const [value] = fieldValues(event, path);
        return value === undefined ? null : valueDigest(value);
      }),
    );
    const words = wordsOf(reasonText(event));
    if (words.length > 0) this.#insertWords.run(pos, words.join(' '));
  }

  #name(kind: Dictionary | NamedFact, value: string | undefined): number | null {
    if (value === undefined) return null;
    const key = `${kind}\n${value}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const row = (this.#selectName.get(kind, value) ?? this.#insertName.get(kind, value)) as { id: number };
    if (this.#names.size >= MAX_NAMES_IN_MEMORY) this.#names.clear();
    this.#names.set(key, row.id);
    return row.id;
  }
}
