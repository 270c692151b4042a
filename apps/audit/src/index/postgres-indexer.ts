import { leafHash } from '#transparency';
import { sql } from 'kysely';
import { FencedError } from '../store/fenced-error.js';
import type { PostgresDatabase } from '../store/postgres/database.js';
import { DIGESTED_FACTS, NAMED_FACTS } from './facts.js';
import { fieldValues } from './field-values.js';
import { type IndexedEvent, leafDigest, parseEntry, valueDigest } from './indexed-fields.js';
import { reasonText, wordsOf } from './reason-words.js';

/** Entries are up to 64 KB, and the thread's heap is small (thread-limits.ts). */
const PAGE = 256;
/** Columns of text, by the field of the event that they hold, and those of 48 bits of a digest. */
const TEXTS: readonly [column: string, path: string][] = [
  ['tenant', 'tenant'],
  ['type', 'type'],
  ['outcome', 'outcome'],
  ['emitter', 'emitter.name'],
  ['reason', 'reason.code'],
  ['workload', 'workload'],
  ['mrenclave', 'mrenclave'],
  ['tcb', 'tcbStatus'],
  ...Object.entries(NAMED_FACTS),
];
const DIGESTS: readonly [column: string, path: string | undefined][] = [
  ['leaf', undefined],
  ['session', 'session'],
  ...Object.entries(DIGESTED_FACTS),
];
const NAMES = [...TEXTS, ...DIGESTS].map(([column]) => column);
const COLUMNS = sql.join(NAMES.map((column) => sql.id(column)));
const VALUES = sql.join(NAMES.map((column) => sql.id('e', column)));
/** No query has a longer word (query-schema.ts), and tsvector takes none above 2 KB. */
const MAX_WORD = 200;

/**
 * Fills the search index of the PostgreSQL store from its entries, from where it stopped. What it writes follows from
 * the entries alone, so that a page written twice is the same page; the term is checked all the same.
 */
export class PostgresIndexer {
  private constructor(
    private readonly database: PostgresDatabase,
    private readonly term: number,
    private at: number,
  ) {}

  static async open(database: PostgresDatabase, term: number): Promise<PostgresIndexer> {
    return new PostgresIndexer(database, term, await indexedPosition(database));
  }

  /** Position of the last entry that is indexed. */
  get position(): number {
    return this.at;
  }

  /** Indexes the next entries; the number of them, 0 when the index is complete. @throws FencedError */
  async advance(): Promise<number> {
    const rows = await this.database.query
      .selectFrom('entries')
      .select(['pos', 'log_id', 'idx', 'time', 'entry'])
      .where('pos', '>', this.at)
      .orderBy('pos')
      .limit(PAGE)
      .execute();
    if (rows.length === 0) return 0;
    // One parsed event at a time: only what is indexed of it is kept.
    const fields = rows.map(({ entry }) => indexedFields(entry));
    const texts = (index: number) => sql`${fields.map(({ text }) => text[index]!)}::text[]`;
    const numbers = (index: number) => sql`${fields.map(({ digest }) => digest[index]!)}::bigint[]`;
    const { rows: written } = await sql<{ fenced: number }>`
      WITH fence AS (SELECT one FROM sequencer WHERE term = ${this.term}), added AS (
        INSERT INTO events (pos, time, log_id, idx, id, words, ${COLUMNS})
        SELECT e.pos, e.time, e.log_id, e.idx, e.id, array_to_tsvector(string_to_array(e.words, ' ')), ${VALUES}
        FROM fence, unnest(
          ${rows.map(({ pos }) => pos)}::bigint[], ${rows.map(({ time }) => time)}::bigint[],
          ${rows.map(({ log_id }) => log_id)}::int[], ${rows.map(({ idx }) => idx)}::bigint[],
          ${fields.map(({ id }) => id)}::uuid[], ${fields.map(({ words }) => words)}::text[],
          ${sql.join([...TEXTS.keys()].map(texts))}, ${sql.join([...DIGESTS.keys()].map(numbers))}
        ) AS e(pos, time, log_id, idx, id, words, ${COLUMNS})
        ON CONFLICT (pos, time) DO NOTHING
      ) SELECT count(*)::int AS fenced FROM fence`.execute(this.database.query);
    if (written[0]?.fenced !== 1) throw new FencedError('the log is sequenced by another process now');
    this.at = rows.at(-1)!.pos;
    return rows.length;
  }
}

/** Position of the last entry that searches find. */
export async function indexedPosition({ query }: PostgresDatabase): Promise<number> {
  const row = await query
    .selectFrom('events')
    .select('pos')
    .orderBy('pos', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.pos ?? 0;
}

/** PostgreSQL's text has no U+0000; the event itself is kept as it is. */
export const storable = (text: string | undefined): string | null =>
  text === undefined ? null : text.replaceAll('\0', '\ufffd');

/** What the index has of an entry. */
function indexedFields(entry: Buffer) {
  const { event } = parseEntry(entry);
  return {
    id: event.id,
    words: searchable(event),
    text: TEXTS.map(([, path]) => storable(fieldValues(event, path)[0])),
    digest: DIGESTS.map(([, path]) => {
      if (path === undefined) return leafDigest(leafHash(entry));
      const [value] = fieldValues(event, path);
      return value === undefined ? null : valueDigest(value);
    }),
  };
}

/** The lexemes, separated by spaces; null where there are none. */
function searchable(event: IndexedEvent): string | null {
  const words = wordsOf(reasonText(event)).filter(({ length }) => length <= MAX_WORD);
  return words.length === 0 ? null : words.join(' ');
}
