import { leafHash } from '#transparency';
import { type ExpressionBuilder, type ExpressionWrapper, type SqlBool, sql } from 'kysely';
import { DICTIONARIES, type Dictionary } from '../index/index-database.js';
import { leafDigest, parseEntry, sessionDigest } from '../index/indexed-fields.js';
import { storable } from '../index/postgres-indexer.js';
import { wordsOf } from '../index/reason-words.js';
import { type PostgresDatabase, sqlState } from '../store/postgres/database.js';
import type { PostgresTables } from '../store/postgres/tables.js';
import type { CountCell, CountQuery, PositionPage, PositionQuery } from './event-reader.js';
import type { PackedEvents } from './packed-events.js';
import type { LoggedEvent, ScopedFilters } from './query-schema.js';

/** SQLSTATE query_canceled: the statement timeout. */
const CANCELED = '57014';
const MAX_CELLS = 10_000;
const filterOf = (column: Dictionary) => (column === 'tcb' ? 'tcbStatus' : column);
type Events = ExpressionBuilder<PostgresTables, 'events'>;

/** Reads events of the PostgreSQL store by search, by id and in order; gives what EventReader gives. */
export class PostgresEventReader {
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
    return row && (await this.#load([row.pos]))[0];
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

  /** A page of the events that match. @throws RangeError if that takes longer than the statement timeout */
  async search({ filters, order, after, limit }: PositionQuery): Promise<PositionPage> {
    const end = await this.#end(filters);
    let query = this.database.query
      .selectFrom('events')
      .select('pos')
      .where('pos', '<=', end)
      .where((where) => conditions(where, filters))
      .orderBy('pos', order === 'newest' ? 'desc' : 'asc')
      .limit(limit + 1);
    if (after !== undefined) query = query.where('pos', order === 'newest' ? '<' : '>', after);
    const positions = (await inTime(query.execute())).map(({ pos }) => pos);
    const more = positions.length > limit;
    const shown = positions.slice(0, limit);
    const events = (await this.#load(shown)).filter(
      // The index has 48 bits of a session's digest.
      ({ event }) => filters.session === undefined || event['session'] === filters.session,
    );
    const searchedTo = more ? shown.at(-1)! : order === 'oldest' ? Math.max(end, after ?? 0) : 0;
    return { events, more, searchedTo };
  }

  /** How many events match, by the values of one field and in steps of time. @throws RangeError for too many cells */
  async count({ filters, by, bucketMs }: CountQuery): Promise<CountCell[]> {
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

  /** The last position that searches find, below `to` where that is given. */
  async #end({ to }: ScopedFilters): Promise<number> {
    let query = this.database.query.selectFrom('events').select('pos').orderBy('pos', 'desc').limit(1);
    if (to !== undefined) query = query.where('time', '<', Date.parse(to));
    return (await query.executeTakeFirst())?.pos ?? 0;
  }

  /** Events in the order of the positions. */
  async #load(positions: readonly number[]): Promise<LoggedEvent[]> {
    if (positions.length === 0) return [];
    const rows = await this.database.query
      .selectFrom('entries')
      .innerJoin('logs', 'logs.id', 'entries.log_id')
      .select(['pos', 'origin', 'idx', 'time', 'entry'])
      .where('pos', '=', sql<number>`ANY(${positions}::bigint[])`)
      .execute();
    const found = new Map(rows.map((row) => [row.pos, row]));
    return positions.map((position) => {
      const { origin, idx, time, entry } = found.get(position)!;
      const { event, kid, sig } = parseEntry(entry);
      return { position, log: origin, index: idx, loggedAt: new Date(time).toISOString(), event, kid, sig };
    });
  }
}

function conditions(
  where: Events,
  filters: ScopedFilters,
): ExpressionWrapper<PostgresTables, 'events', SqlBool> {
  const { tenants, session, text, from, to } = filters;
  const all = DICTIONARIES.flatMap((column) => {
    const value = filters[filterOf(column)];
    return value === undefined ? [] : [where(column, '=', storable(value))];
  });
  if (tenants !== undefined) all.push(where('tenant', '=', sql<string>`ANY(${tenants}::text[])`));
  if (session !== undefined) all.push(where('session', '=', sessionDigest(session)));
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
