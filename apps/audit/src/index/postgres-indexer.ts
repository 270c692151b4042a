import { leafHash } from '#transparency';
import { sql } from 'kysely';
import { FencedError } from '../store/fenced-error.js';
import type { PostgresDatabase } from '../store/postgres/database.js';
import { DIGESTED_FACTS, NAMED_FACTS } from './facts.js';
import { fieldValues } from './field-values.js';
import { type IndexedEvent, leafDigest, parseEntry, sessionDigest, valueDigest } from './indexed-fields.js';
import { reasonText, wordsOf } from './reason-words.js';

const PAGE = 512;
const NAMES = Object.values(NAMED_FACTS);
const DIGESTS = Object.values(DIGESTED_FACTS);
const FACTS = [...Object.keys(NAMED_FACTS), ...Object.keys(DIGESTED_FACTS)];
const FACT_COLUMNS = sql.join(FACTS.map((column) => sql.id(column)));
const FACT_VALUES = sql.join(FACTS.map((column) => sql.id('e', column)));
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
    const events = rows.map(({ entry }) => parseEntry(entry).event);
    const texts = (value: (event: IndexedEvent) => string | undefined) =>
      events.map((event) => storable(value(event)));
    const sessions = events.map(({ session }) => (session === undefined ? null : sessionDigest(session)));
    const facts = [
      ...NAMES.map((path) => sql`${texts((event) => fieldValues(event, path)[0])}::text[]`),
      ...DIGESTS.map((path) => sql`${digests(events, path)}::bigint[]`),
    ];
    const { rows: written } = await sql<{ fenced: number }>`
      WITH fence AS (SELECT one FROM sequencer WHERE term = ${this.term}), added AS (
        INSERT INTO events (pos, time, id, log_id, idx, tenant, type, outcome, emitter, reason, workload, mrenclave,
          tcb, session, leaf, ${FACT_COLUMNS}, words)
        SELECT e.pos, e.time, e.id, e.log_id, e.idx, e.tenant, e.type, e.outcome, e.emitter, e.reason, e.workload,
          e.mrenclave, e.tcb, e.session, e.leaf, ${FACT_VALUES}, array_to_tsvector(string_to_array(e.words, ' '))
        FROM fence, unnest(
          ${rows.map(({ pos }) => pos)}::bigint[], ${rows.map(({ time }) => time)}::bigint[],
          ${texts(({ id }) => id)}::uuid[], ${rows.map(({ log_id }) => log_id)}::int[],
          ${rows.map(({ idx }) => idx)}::bigint[], ${texts(({ tenant }) => tenant)}::text[],
          ${texts(({ type }) => type)}::text[], ${texts(({ outcome }) => outcome)}::text[],
          ${texts(({ emitter }) => emitter.name)}::text[], ${texts(({ reason }) => reason?.code)}::text[],
          ${texts(({ workload }) => workload)}::text[], ${texts(({ mrenclave }) => mrenclave)}::text[],
          ${texts(({ tcbStatus }) => tcbStatus)}::text[], ${sessions}::bigint[],
          ${rows.map(({ entry }) => leafDigest(leafHash(entry)))}::bigint[], ${sql.join(facts)}, ${events.map(searchable)}::text[]
        ) AS e(pos, time, id, log_id, idx, tenant, type, outcome, emitter, reason, workload, mrenclave, tcb, session,
          leaf, ${FACT_COLUMNS}, words)
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

const digests = (events: readonly IndexedEvent[], path: string): (number | null)[] =>
  events.map((event) => {
    const [value] = fieldValues(event, path);
    return value === undefined ? null : valueDigest(value);
  });

/** The lexemes, separated by spaces; null where there are none. */
function searchable(event: IndexedEvent): string | null {
  const words = wordsOf(reasonText(event)).filter(({ length }) => length <= MAX_WORD);
  return words.length === 0 ? null : words.join(' ');
}
