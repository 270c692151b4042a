import { Kysely } from 'kysely';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bucketOf, digestBlockId, findInDigestBlock } from '../index/digests.js';
import { HotSegment } from '../index/hot-segment.js';
import type { Offsets } from '../index/offsets.js';
import { decodePage } from '../index/recent-page.js';
import type { SearchedSegment } from '../index/searched-segment.js';
import { findInTermBlock, termsOfBlock, valueBytes } from '../index/term-blocks.js';
import { DIGEST_KINDS, type DigestKind, termKindNumber, type TermKind } from '../index/term-kinds.js';
import { TimeRuns } from '../index/time-runs.js';
import { nodeSqliteDialect } from '../store/sqlite-dialect.js';

interface IndexTables {
  segments: { above: number; last: number; first_time: number; last_time: number; times: Uint8Array };
  terms: { id: number; segment: number; kind: number; first: Uint8Array; block: Uint8Array };
  digests: { id: number; block: Uint8Array };
  recent: { last: number; page: string };
}

/** The index's segments as they are now. What is behind the last sealed one is kept in memory, and brought up to date. */
export class SegmentReader {
  readonly #sealed: SearchedSegment[] = [];
  readonly #statements: SegmentStatements;
  readonly #version: StatementSync;
  readonly #segments: StatementSync;
  readonly #recent: StatementSync;
  #seen: unknown;
  #hot = new HotSegment(0);

  constructor(private readonly index: DatabaseSync) {
    const query = new Kysely<IndexTables>({ dialect: nodeSqliteDialect(index) });
    this.#version = index.prepare('PRAGMA data_version');
    this.#segments = prepared(
      index,
      query
        .selectFrom('segments')
        .select(['above', 'last', 'first_time', 'last_time'])
        .where('above', '>=', 0)
        .orderBy('above'),
    );
    this.#recent = prepared(
      index,
      query.selectFrom('recent').select('page').where('last', '>', 0).orderBy('last'),
    );
    this.#statements = new SegmentStatements(index, query);
  }

  /** Takes in what was committed since; the last position that is indexed. */
  refresh(): number {
    const { data_version: version } = this.#version.get() as { data_version: unknown };
    if (version !== this.#seen) {
      // One state of the file, even if a segment is sealed meanwhile.
      this.index.exec('BEGIN');
      try {
        this.#read();
      } finally {
        this.index.exec('COMMIT');
      }
      this.#seen = version;
    }
    return this.#hot.last;
  }

  /** The segment with this position, which must be indexed. */
  at(position: number): SearchedSegment {
    if (position > this.#hot.above) return this.#hot;
    let [low, high] = [0, this.#sealed.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sealed[middle]!.last < position) low = middle + 1;
      else high = middle;
    }
    return this.#sealed[low]!;
  }

  /** The last position up to `last` that was logged before `time`. */
  lastBefore(time: number, last: number): number {
    let [low, high] = [0, this.#sealed.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sealed[middle]!.lastTime < time) low = middle + 1;
      else high = middle;
    }
    const segment = this.#sealed[low] ?? this.#hot;
    const count = segment.last - segment.above;
    return Math.min(segment.above + segment.times.offsetAt(time, count), last);
  }

  #read(): void {
    const above = this.#sealed.at(-1)?.last ?? 0;
    for (const row of this.#segments.all(above) as unknown as Omit<IndexTables['segments'], 'times'>[])
      this.#sealed.push(
        new SealedSegment(row.above, row.last, row.first_time, row.last_time, this.#statements),
      );
    const sealed = this.#sealed.at(-1)?.last ?? 0;
    if (this.#hot.above !== sealed) this.#hot = new HotSegment(sealed);
    for (const { page } of this.#recent.iterate(this.#hot.last) as unknown as Iterable<{ page: string }>)
      this.#hot.take(decodePage(page));
  }
}

/** A segment in the file. */
class SealedSegment implements SearchedSegment {
  constructor(
    readonly above: number,
    readonly last: number,
    readonly firstTime: number,
    readonly lastTime: number,
    private readonly statements: SegmentStatements,
  ) {}

  get times(): TimeRuns {
    return TimeRuns.decode((this.statements.times.get(this.above) as { times: Uint8Array }).times);
  }

  find(kind: TermKind, value: string): Offsets | undefined {
    const bytes = valueBytes(value);
    const row = this.statements.term.get(this.above, termKindNumber.get(kind)!, bytes) as
      { block: Uint8Array } | undefined;
    return row && findInTermBlock(row.block, bytes)?.offsets;
  }

  *values(kind: TermKind): Generator<{ value: string; offsets: Offsets }> {
    const rows = this.statements.terms.all(this.above, termKindNumber.get(kind)!) as unknown as {
      block: Uint8Array;
    }[];
    for (const { block } of rows) yield* termsOfBlock(block);
  }

  candidates(kind: DigestKind, digest: number): number[] {
    const id = digestBlockId(this.above, DIGEST_KINDS.indexOf(kind), bucketOf(digest));
    const row = this.statements.digests.get(id) as { block: Uint8Array } | undefined;
    return row ? findInDigestBlock(row.block, digest) : [];
  }
}

/** What sealed segments are read with. */
class SegmentStatements {
  readonly times: StatementSync;
  readonly term: StatementSync;
  readonly terms: StatementSync;
  readonly digests: StatementSync;

  constructor(index: DatabaseSync, query: Kysely<IndexTables>) {
    const of = 0;
    this.times = prepared(index, query.selectFrom('segments').select('times').where('above', '=', of));
    const terms = query.selectFrom('terms').select('block').where('segment', '=', of).where('kind', '=', of);
    const value = new Uint8Array();
    // The limit is written out: as a parameter it would have to be given each time.
    const last = terms.where('first', '<=', value).orderBy('first', 'desc');
    this.term = index.prepare(`${last.compile().sql} limit 1`);
    this.terms = prepared(index, terms.orderBy('first'));
    this.digests = prepared(index, query.selectFrom('digests').select('block').where('id', '=', of));
  }
}

/** Run straight and synchronously: a search runs thousands of them. */
const prepared = (database: DatabaseSync, query: { compile(): { sql: string } }): StatementSync =>
  database.prepare(query.compile().sql);
