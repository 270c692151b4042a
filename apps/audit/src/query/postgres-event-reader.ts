import { leafHash } from '#transparency';
import { type ExpressionBuilder, type ExpressionWrapper, type SqlBool, sql } from 'kysely';
import { DICTIONARIES, type Dictionary, digestedFactOf, namedFactOf } from '../index/facts.js';
import { type FieldFilter, hasFields } from '../index/field-values.js';
import { leafDigest, parseEntry, valueDigest } from '../index/indexed-fields.js';
import { storable } from '../index/postgres-indexer.js';
import { wordsOf } from '../index/reason-words.js';
import { type PostgresDatabase, sqlState } from '../store/postgres/database.js';
import type { PostgresTables } from '../store/postgres/tables.js';
import { CANDIDATES, MAX_CELLS, countOneByOne } from './count-one-by-one.js';
import type { CountCell, CountQuery, PositionPage, PositionQuery } from './event-reader.js';
import type { EventSource } from './event-source.js';
import type { PackedEvents } from './packed-events.js';
import type { LoggedEvent, ScopedFilters } from './query-schema.js';

/** SQLSTATE query_canceled: the statement timeout. */
const CANCELED = '57014';
/** Time after which a search that found something gives what it has, and one that found nothing says how far it came. */
const BUDGET_MS = 25;
const PATIENCE_MS = 1_000;
/** Entries that are fetched together. */
const CHUNK = 64;
const filterOf = (column: Dictionary) => (column === 'tcb' ? 'tcbStatus' : column);
type Events = ExpressionBuilder<PostgresTables, 'events'>;

/** Reads events of the PostgreSQL store by search, by id and in order; gives what EventReader gives. */
export class PostgresEventReader implements EventSource {
  constructor(private readonly database: PostgresDatabase) {}

  /** The event with this id, wherever it is in the logs. */
  async byId(id: string): Promise<LoggedEvent | undefined> {
    const row = await this.database.query
      .selectFrom('events')
      .select('pos')
      .where('id', '=', id)
      .orderBy('pos')
      .limit(1)
      .executeTakeFirst();
    if (!row) return undefined;
    return (await this.#load([row.pos]).next()).value as LoggedEvent;
  }

  /** Where the entry with this leaf hash (hex) is. */
  async byLeaf(leaf: string): Promise<{ log: string; index: number } | undefined> {
    const rows = await this.database.query
      .selectFrom('events')
      .innerJoin('entries', (join) =>
        join.onRef('entries.pos', '=', 'events.pos').onRef('entries.time', '=', 'events.time'),
      )
      .innerJoin('logs', 'logs.id', 'entries.log_id')
      .select(['origin', 'entries.idx', 'entry'])
      .where('leaf', '=', leafDigest(Buffer.from(leaf, 'hex')))
      .orderBy('events.pos')
      .limit(16)
      .execute();
    const found = rows.find(({ entry }) => leafHash(entry).toString('hex') === leaf);
    return found && { log: found.origin, index: found.idx };
  }

  /** Entries behind a position in the order of their commit, straight from the log. */
  async after(position: number, limit: number): Promise<PackedEvents> {
    const rows = await this.database.query
      .selectFrom('entries')
      .innerJoin('logs', 'logs.id', 'entries.log_id')
      .select(['pos', 'origin', 'idx', 'time', 'entry'])
      .where('pos', '>', position)
      .orderBy('pos')
      .limit(limit)
      .execute();
    const bytes = new Uint8Array(rows.reduce((sum, { entry }) => sum + entry.length, 0));
    let offset = 0;
    const events = rows.map(({ pos, origin, idx, time, entry }) => {
      bytes.set(entry, offset);
      offset += entry.length;
      return { position: pos, log: origin, index: idx, time, length: entry.length };
    });
    return { bytes: bytes.buffer, events };
  }

  /**
   * A page of the events that match. Where the index does not decide alone it may be short, and after a second of finding
   * nothing empty: `more` says whether it goes on.
   * @throws RangeError if one step of that takes longer than the statement timeout
   */
  async search({ filters, order, after, limit }: PositionQuery): Promise<PositionPage> {
    const end = await this.#end(filters);
    const { session, fields = [] } = filters;
    const undecided = session !== undefined || fields.length > 0;
    const residual = fields.some(({ path }) => !namedFactOf(path) && !digestedFactOf(path));
    const events: LoggedEvent[] = [];
    const started = performance.now();
    let searchedTo = after ?? (order === 'oldest' ? 0 : end + 1);
    for (;;) {
      const wanted = residual ? CANDIDATES : limit + 1 - events.length;
      const positions = await this.#positions(filters, order, searchedTo, end, wanted);
      for await (const event of this.#load(positions)) {
        if (events.length === limit) return { events, more: true, searchedTo };
        searchedTo = event.position;
        if (!undecided || isMatch(event, session, fields)) events.push(event);
      }
      if (positions.length < wanted)
        return { events, more: false, searchedTo: order === 'oldest' ? Math.max(end, after ?? 0) : 0 };
      const patience = events.length > 0 ? BUDGET_MS : PATIENCE_MS;
      if (performance.now() - started > patience) return { events, more: true, searchedTo };
    }
  }

  /** How many events match, by the values of one field and in steps of time. @throws RangeError for too many cells or events */
  async count({ filters, by, bucketMs }: CountQuery): Promise<CountCell[]> {
    if (filters.session !== undefined || (filters.fields ?? []).length > 0)
      return countOneByOne({ filters, by, bucketMs }, (query) => this.search(query));
    const rows = await inTime(
      this.database.query
        .selectFrom('events')
        .select([
          sql<string | null>`${sql.ref(by)}`.as('name'),
          sql<number>`time / ${bucketMs}::bigint`.as('slot'),
        ])
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where((where) => conditions(where, filters))
        .groupBy([sql`1`, sql`2`])
        .orderBy('slot')
        .orderBy('count', 'desc')
        .limit(MAX_CELLS + 1)
        .execute(),
    );
    if (rows.length > MAX_CELLS) throw new RangeError('too many steps of time or values');
    return rows.map(({ name, slot, count }) => ({
      at: new Date(slot * bucketMs).toISOString(),
      value: name,
      count,
    }));
  }

  async #positions(
    filters: ScopedFilters,
    order: PositionQuery['order'],
    behind: number,
    end: number,
    limit: number,
  ): Promise<number[]> {
    const rows = await inTime(
      this.database.query
        .selectFrom('events')
        .select('pos')
        .where('pos', '<=', end)
        .where('pos', order === 'newest' ? '<' : '>', behind)
        .where((where) => conditions(where, filters))
        .orderBy('pos', order === 'newest' ? 'desc' : 'asc')
        .limit(limit)
        .execute(),
    );
    return rows.map(({ pos }) => pos);
  }

  isUnreachable(error: unknown): boolean {
    return !(error instanceof RangeError) && !(error instanceof TypeError) && sqlState(error) === undefined;
  }

  /** The last position that searches find, below `to` where that is given. */
  async #end({ to }: ScopedFilters): Promise<number> {
    let query = this.database.query.selectFrom('events').select('pos').orderBy('pos', 'desc').limit(1);
    if (to !== undefined) query = query.where('time', '<', Date.parse(to));
    return (await query.executeTakeFirst())?.pos ?? 0;
  }

  /** Events in the order of the positions, parsed one at a time: the thread's heap is small (thread-limits.ts). */
  async *#load(positions: readonly number[]): AsyncGenerator<LoggedEvent> {
    for (let start = 0; start < positions.length; start += CHUNK) {
      const wanted = positions.slice(start, start + CHUNK);
      const rows = await this.database.query
        .selectFrom('entries')
        .innerJoin('logs', 'logs.id', 'entries.log_id')
        .select(['pos', 'origin', 'idx', 'time', 'entry'])
        .where('pos', '=', sql<number>`ANY(${wanted}::bigint[])`)
        .execute();
      const found = new Map(rows.map((row) => [row.pos, row]));
      for (const position of wanted) {
        const { origin, idx, time, entry } = found.get(position)!;
        const { event, kid, sig } = parseEntry(entry);
        yield { position, log: origin, index: idx, loggedAt: new Date(time).toISOString(), event, kid, sig };
      }
    }
  }
}

function conditions(
  where: Events,
  filters: ScopedFilters,
): ExpressionWrapper<PostgresTables, 'events', SqlBool> {
  const { tenants, session, text, from, to, fields = [] } = filters;
  const all = DICTIONARIES.flatMap((column) => {
    const value = filters[filterOf(column)];
    return value === undefined ? [] : [where(column, '=', storable(value))];
  });
  if (tenants !== undefined) all.push(where('tenant', '=', sql<string>`ANY(${tenants}::text[])`));
  if (session !== undefined) all.push(where('session', '=', valueDigest(session)));
  for (const { path, value } of fields) {
    const [named, digested] = [namedFactOf(path), digestedFactOf(path)];
    if (named !== undefined) all.push(where(named, '=', storable(value)));
    if (digested !== undefined) all.push(where(digested, '=', valueDigest(value)));
  }
  if (from !== undefined) all.push(where('time', '>=', Date.parse(from)));
  if (to !== undefined) all.push(where('time', '<', Date.parse(to)));
  const matches =
    text === undefined
      ? []
      : // Words are letters and digits alone, so that quoting them is all that tsquery's syntax asks for.
        [
          sql<SqlBool>`words @@ ${wordsOf(text)
            .map((word) => `'${word}'`)
            .join(' & ')}::tsquery`,
        ];
  return where.and([...all, ...matches]);
}

/** What the index has a digest of, or not at all, the event itself decides. */
const isMatch = (
  { event }: LoggedEvent,
  session: string | undefined,
  fields: readonly FieldFilter[],
): boolean => (session === undefined || event['session'] === session) && hasFields(event, fields);

async function inTime<T>(rows: Promise<T>): Promise<T> {
  try {
    return await rows;
  } catch (error) {
    if (sqlState(error) !== CANCELED) throw error;
    throw new RangeError('the search takes too long; give a shorter time range or more filters', {
      cause: error,
    });
  }
}
