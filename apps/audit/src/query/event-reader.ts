import { type Expression, Kysely, type SqlBool, sql } from 'kysely';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { DICTIONARIES, type Dictionary } from '../index/index-database.js';
import { parseEntry, sessionDigest, uuidBytes } from '../index/indexed-fields.js';
import { nodeSqliteDialect } from '../store/sqlite-dialect.js';
import type { PackedEvents } from './packed-events.js';
import type { EventFilters, LoggedEvent } from './query-schema.js';

interface IndexTables {
  names: { id: number; kind: string; value: string };
  events: Record<'pos' | 'log' | 'idx' | 'time' | 'session' | Dictionary, number> & { id: Uint8Array };
}

export interface PositionQuery {
  filters: EventFilters;
  order: 'newest' | 'oldest';
  /** Exclusive; undefined starts at the end (newest) or the beginning (oldest). */
  after: number | undefined;
  limit: number;
}

/** A page of events, and how far the search came: behind the last match, or at the end of the index. */
export interface PositionPage {
  events: LoggedEvent[];
  more: boolean;
  searchedTo: number;
}

/** Filters from the most to the least selective, as experience has it: the first one given chooses the index. */
const BY_SELECTIVITY = ['session', 'reason', 'mrenclave', 'workload', 'type', 'outcome', 'tenant'] as const;
const FILTER_OF: Readonly<Record<Exclude<Dictionary, 'tcb'>, keyof EventFilters>> & { tcb: 'tcbStatus' } = {
  tenant: 'tenant',
  type: 'type',
  outcome: 'outcome',
  reason: 'reason',
  workload: 'workload',
  mrenclave: 'mrenclave',
  emitter: 'emitter',
  tcb: 'tcbStatus',
};

/** Reads events by search, by id and in order. Opened beside the writers; sees whole commits. */
export class EventReader {
  readonly #query: Kysely<IndexTables>;
  readonly #entry: StatementSync;
  readonly #range: StatementSync;
  readonly #byId: StatementSync;
  readonly #nameId: StatementSync;
  readonly #timeBelow: StatementSync;
  readonly #last: StatementSync;

  constructor(log: DatabaseSync, index: DatabaseSync) {
    this.#query = new Kysely<IndexTables>({ dialect: nodeSqliteDialect(index) });
    const columns = `SELECT pos, origin, idx, time, entry FROM entries
      JOIN batches ON batches.id = batch_id JOIN logs ON logs.id = entries.log_id`;
    this.#entry = log.prepare(`${columns} WHERE pos = ?`);
    this.#range = log.prepare(`${columns} WHERE pos > ? ORDER BY pos LIMIT ?`);
    this.#byId = index.prepare('SELECT pos FROM events WHERE id = ? ORDER BY pos LIMIT 1');
    this.#nameId = index.prepare('SELECT id FROM names WHERE kind = ? AND value = ?');
    this.#timeBelow = index.prepare('SELECT pos, time FROM events WHERE pos <= ? ORDER BY pos DESC LIMIT 1');
    this.#last = index.prepare('SELECT coalesce(max(pos), 0) AS pos FROM events');
  }

  /** The event with this id, wherever it is in the logs. */
  byId(id: string): LoggedEvent | undefined {
    const row = this.#byId.get(uuidBytes(id)) as { pos: number } | undefined;
    return row && this.#load(row.pos);
  }

  /** Entries behind a position in the order of their commit, straight from the log. */
  after(position: number, limit: number): PackedEvents {
    const rows = this.#range.all(position, limit) as unknown as EntryRow[];
    const bytes = new Uint8Array(rows.reduce((sum, { entry }) => sum + entry.length, 0));
    let offset = 0;
    const events = rows.map(({ pos, origin, idx, time, entry }) => {
      bytes.set(entry, offset);
      offset += entry.length;
      return { position: pos, log: origin, index: idx, time, length: entry.length };
    });
    return { bytes: bytes.buffer, events };
  }

  /** A page of the events that match. */
  async search({ filters, order, after, limit }: PositionQuery): Promise<PositionPage> {
    const last = (this.#last.get() as { pos: number }).pos;
    const lowest = Math.max(
      filters.from === undefined ? 0 : this.#positionAt(Date.parse(filters.from), last),
      0,
    );
    const highest = filters.to === undefined ? last : this.#positionAt(Date.parse(filters.to), last);
    const above = order === 'oldest' ? Math.max(lowest, after ?? 0) : lowest;
    const upTo = order === 'newest' && after !== undefined ? Math.min(highest, after - 1) : highest;
    const conditions = this.#conditions(filters);
    if (!conditions || above >= upTo)
      return { events: [], more: false, searchedTo: order === 'oldest' ? upTo : above };
    const rows = await this.#query
      .selectFrom('events')
      .select('pos')
      .where('pos', '>', above)
      .where('pos', '<=', upTo)
      .where((where) => where.and(conditions))
      .orderBy('pos', order === 'newest' ? 'desc' : 'asc')
      .limit(limit + 1)
      .execute();
    const more = rows.length > limit;
    const page = more ? rows.slice(0, limit) : rows;
    const events = page
      .map(({ pos }) => this.#load(pos)!)
      .filter(({ event }) => filters.session === undefined || event['session'] === filters.session);
    const end = order === 'oldest' ? upTo : above;
    return { events, more, searchedTo: more ? page.at(-1)!.pos : end };
  }

  /** undefined if a filter names something that no event has. */
  #conditions(filters: EventFilters): Expression<SqlBool>[] | undefined {
    const conditions: Expression<SqlBool>[] = [];
    const driver = BY_SELECTIVITY.find((name) => filters[name] !== undefined);
    const composite = driver === 'mrenclave' || driver === 'workload' || driver === 'type';
    for (const name of DICTIONARIES) {
      const value = filters[FILTER_OF[name]];
      if (value === undefined) continue;
      const row = this.#nameId.get(name, value) as { id: number } | undefined;
      if (!row) return undefined;
      // The unary plus keeps SQLite from choosing this column's index: without statistics it guesses.
      const indexed = name === driver || (name === 'outcome' && composite);
      conditions.push(indexed ? sql`${sql.ref(name)} = ${row.id}` : sql`+${sql.ref(name)} = ${row.id}`);
    }
    if (filters.session !== undefined) conditions.push(sql`session = ${sessionDigest(filters.session)}`);
    return conditions;
  }

  /** The last position that was logged before `time`; the log's time never decreases. */
  #positionAt(time: number, last: number): number {
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = this.#timeBelow.get(middle) as { time: number } | undefined;
      if (!row || row.time < time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #load(position: number): LoggedEvent | undefined {
    const row = this.#entry.get(position) as unknown as EntryRow | undefined;
    if (!row) return undefined;
    const { event, kid, sig } = parseEntry(row.entry);
    const loggedAt = new Date(row.time).toISOString();
    return { position: row.pos, log: row.origin, index: row.idx, loggedAt, event, kid, sig };
  }
}

interface EntryRow {
  pos: number;
  origin: string;
  idx: number;
  time: number;
  entry: Uint8Array;
}
