import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { digestBlockId } from './digests.js';
import { HotSegment, type PageMark } from './hot-segment.js';
import { MAX_SEGMENT } from './offsets.js';
import { decodePage, encodePage } from './recent-page.js';
import { DIGEST_KINDS, TERM_KINDS } from './term-kinds.js';
import { termBlocks } from './term-blocks.js';

const PAGE = 512;
/** Time after which events that are still being caught up with show in searches, in milliseconds. */
const SHOW_MS = 1_000;

interface StoredEntry {
  pos: number;
  time: number;
  entry: Uint8Array;
}

/**
 * Fills the search index from the log, from where it stopped: a segment in memory, written page by page while the log is
 * followed, and sealed in one go when it is full. What is caught up with is mostly sealed at once.
 */
export class Indexer {
  readonly #page: StatementSync;
  readonly #insertSegment: StatementSync;
  readonly #insertTerm: StatementSync;
  readonly #insertDigest: StatementSync;
  readonly #insertRecent: StatementSync;
  #hot: HotSegment;
  #written: PageMark;
  #writtenAt = performance.now();
  #position: number;

  /** `limit` is the number of events of a segment. */
  constructor(
    log: DatabaseSync,
    private readonly index: DatabaseSync,
    private readonly limit = MAX_SEGMENT,
  ) {
    this.#page = log.prepare(
      `SELECT pos, time, entry FROM entries JOIN batches ON batches.id = batch_id
       WHERE pos > ? ORDER BY pos LIMIT ${PAGE}`,
    );
    this.#insertSegment = index.prepare(
      'INSERT INTO segments (above, last, first_time, last_time, times) VALUES (?, ?, ?, ?, ?)',
    );
    this.#insertTerm = index.prepare('INSERT INTO terms (segment, kind, first, block) VALUES (?, ?, ?, ?)');
    this.#insertDigest = index.prepare('INSERT INTO digests (id, block) VALUES (?, ?)');
    this.#insertRecent = index.prepare('INSERT INTO recent (last, page) VALUES (?, ?)');
    this.#hot = this.#reload();
    this.#written = this.#hot.mark();
    this.#position = this.#hot.last;
  }

  /** Position of the last entry that searches find. */
  get position(): number {
    return this.#position;
  }

  /** Indexes the next entries; the number of them, 0 when the index is complete. */
  advance(): number {
    try {
      const rows = this.#page.all(this.#hot.last) as unknown as StoredEntry[];
      for (const { pos, time, entry } of rows) {
        if (pos !== this.#hot.last + 1)
          throw new Error(`the log has no entry at position ${this.#hot.last + 1}`);
        this.#hot.add(entry, time);
        if (this.#hot.full) this.#seal();
      }
      if (rows.length < PAGE || performance.now() - this.#writtenAt > SHOW_MS) this.#show();
      return rows.length;
    } catch (error) {
      if (this.index.isTransaction) this.index.exec('ROLLBACK');
      // What was not written is read again.
      this.#hot = this.#reload();
      this.#written = this.#hot.mark();
      throw error;
    }
  }

  /** Writes what came since the last page. */
  #show(): void {
    this.#writtenAt = performance.now();
    if (this.#hot.last === this.#position) return;
    this.#insertRecent.run(this.#hot.last, encodePage(this.#hot.pageSince(this.#written)));
    this.#written = this.#hot.mark();
    this.#position = this.#hot.last;
  }

  #seal(): void {
    const hot = this.#hot;
    const { above, last, firstTime, lastTime, times } = hot;
    this.index.exec('BEGIN');
    this.#insertSegment.run(above, last, firstTime, lastTime, times.encode());
    for (const [number, kind] of TERM_KINDS.entries())
      for (const { first, block } of termBlocks(hot.values(kind)))
        this.#insertTerm.run(above, number, first, block);
    for (const [number, kind] of DIGEST_KINDS.entries())
      for (const { bucket, block } of hot.digests(kind).blocks())
        this.#insertDigest.run(digestBlockId(above, number, bucket), block);
    this.index.exec('DELETE FROM recent; COMMIT');
    this.#hot = new HotSegment(last, this.limit);
    this.#written = this.#hot.mark();
    this.#writtenAt = performance.now();
    this.#position = last;
  }

  /** The segment that was being filled, as far as it was written. */
  #reload(): HotSegment {
    const { above } = this.index.prepare('SELECT coalesce(max(last), 0) AS above FROM segments').get() as {
      above: number;
    };
    const hot = new HotSegment(above, this.limit);
    for (const row of this.index.prepare('SELECT page FROM recent ORDER BY last').iterate())
      hot.take(decodePage(row['page'] as string));
    return hot;
  }
}
