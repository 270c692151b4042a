import { leafHash } from '#transparency';
import { type Expression, Kysely, type SqlBool, sql } from 'kysely';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { DICTIONARIES, type Dictionary } from '../index/index-database.js';
import { leafDigest, parseEntry, sessionDigest, uuidBytes } from '../index/indexed-fields.js';
import { matchAll, wordsOf } from '../index/reason-words.js';
import { nodeSqliteDialect } from '../store/sqlite-dialect.js';
import type { PackedEvents } from './packed-events.js';
import type { EventFilters, LoggedEvent, ScopedFilters } from './query-schema.js';

interface IndexTables {
  names: { id: number; kind: string; value: string };
  events: Record<'pos' | 'log' | 'idx' | 'time' | 'session' | Dictionary, number> & { id: Uint8Array };
}

export interface PositionQuery {
  filters: ScopedFilters;
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

/** Positions above `above`, up to and including `upTo`. */
interface Window {
  above: number;
  upTo: number;
}

export interface CountQuery {
  filters: ScopedFilters;
  by: Dictionary;
  bucketMs: number;
}

export interface CountCell {
  /** Begin of the step of time. */
  at: string;
  /** null where events do not have the field. */
  value: string | null;
  count: number;
}

/** Positions that are searched at a time without an index that covers the query. */
const WINDOW = 100_000;
/** Time after which a search that found something gives what it has, in milliseconds. */
const BUDGET_MS = 25;
const MAX_CELLS = 10_000;

/** The range in steps, from its near end. */
function* windows({ above, upTo }: Window, order: 'newest' | 'oldest', step: number): Generator<Window> {
  if (order === 'oldest') {
    for (let low = above; low < upTo; low += step) yield { above: low, upTo: Math.min(low + step, upTo) };
  } else {
    for (let high = upTo; high > above; high -= step)
      yield { above: Math.max(high - step, above), upTo: high };
  }
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
  readonly #next: StatementSync;
  readonly #name: StatementSync;
  readonly #byId: StatementSync;
  readonly #byLeaf: StatementSync;
  readonly #nameId: StatementSync;
  readonly #timeBelow: StatementSync;
  readonly #last: StatementSync;

  constructor(
    log: DatabaseSync,
    index: DatabaseSync,
    private readonly window = WINDOW,
  ) {
    this.#query = new Kysely<IndexTables>({ dialect: nodeSqliteDialect(index) });
    const columns = `SELECT pos, origin, idx, time, entry FROM entries
      JOIN batches ON batches.id = batch_id JOIN logs ON logs.id = entries.log_id`;
    this.#entry = log.prepare(`${columns} WHERE pos = ?`);
    this.#next = log.prepare(`${columns} WHERE pos > ? ORDER BY pos LIMIT ?`);
    this.#byId = index.prepare('SELECT pos FROM events WHERE id = ? ORDER BY pos LIMIT 1');
    this.#byLeaf = index.prepare('SELECT pos FROM events WHERE leaf = ? ORDER BY pos LIMIT 16');
    this.#nameId = index.prepare('SELECT id FROM names WHERE kind = ? AND value = ?');
    this.#name = index.prepare('SELECT value FROM names WHERE id = ?');
    this.#timeBelow = index.prepare('SELECT pos, time FROM events WHERE pos <= ? ORDER BY pos DESC LIMIT 1');
    this.#last = index.prepare('SELECT coalesce(max(pos), 0) AS pos FROM events');
  }

  /** The event with this id, wherever it is in the logs. */
  byId(id: string): LoggedEvent | undefined {
    const row = this.#byId.get(uuidBytes(id)) as { pos: number } | undefined;
    return row && this.#load(row.pos);
  }

  /** Where the entry with this leaf hash (hex) is. */
  byLeaf(leaf: string): { log: string; index: number } | undefined {
    const rows = this.#byLeaf.all(leafDigest(Buffer.from(leaf, 'hex'))) as { pos: number }[];
    for (const { pos } of rows) {
      const row = this.#entry.get(pos) as unknown as EntryRow | undefined;
      if (row && leafHash(row.entry).toString('hex') === leaf) return { log: row.origin, index: row.idx };
    }
    return undefined;
  }

  /** Entries behind a position in the order of their commit, straight from the log. */
  after(position: number, limit: number): PackedEvents {
    const rows = this.#next.all(position, limit) as unknown as EntryRow[];
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
   * A page of the events that match. A search that no index covers goes through the log in windows and lets other
   * calls in between; it may give a short page, but an empty one only at the end.
   */
  async search({ filters, order, after, limit }: PositionQuery): Promise<PositionPage> {
    const range = this.#range(filters);
    const above = order === 'oldest' ? Math.max(range.above, after ?? 0) : range.above;
    const upTo = order === 'newest' && after !== undefined ? Math.min(range.upTo, after - 1) : range.upTo;
    const plan = this.#plan(filters);
    const events: LoggedEvent[] = [];
    let searchedTo = order === 'oldest' ? above : upTo;
    const started = performance.now();
    for (const window of windows(
      { above, upTo: plan ? upTo : above },
      order,
      plan?.covered ? Infinity : this.window,
    )) {
      const positions = await this.#positions(plan!.within(window), window, order, limit + 1 - events.length);
      for (const position of positions) {
        if (events.length === limit) return { events, more: true, searchedTo };
        const event = this.#load(position)!;
        searchedTo = position;
        if (filters.session === undefined || event.event['session'] === filters.session) events.push(event);
      }
      searchedTo = order === 'oldest' ? window.upTo : window.above + 1;
      const end = order === 'oldest' ? window.upTo >= upTo : window.above <= above;
      if (!end && events.length > 0 && performance.now() - started > BUDGET_MS) {
        return { events, more: true, searchedTo };
      }
      if (!end) await setImmediate();
    }
    return { events, more: false, searchedTo: order === 'oldest' ? Math.max(upTo, above) : above };
  }

  /** How many events match, by the values of one field and in steps of time. @throws RangeError for too many cells */
  async count({ filters, by, bucketMs }: CountQuery): Promise<CountCell[]> {
    const { above, upTo } = this.#range(filters);
    const plan = this.#plan(filters);
    const cells = new Map<string, { name: number | null; slot: number; count: number }>();
    for (const window of windows({ above, upTo: plan ? upTo : above }, 'oldest', this.window)) {
      const rows = await this.#query
        .selectFrom('events')
        .select([sql<number | null>`${sql.ref(by)}`.as('name'), sql<number>`time / ${bucketMs}`.as('slot')])
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('pos', '>', window.above)
        .where('pos', '<=', window.upTo)
        .where((where) => where.and(plan!.within(window)))
        .groupBy([sql`1`, sql`2`])
        .execute();
      for (const { name, slot, count } of rows) {
        const key = `${name}/${Math.floor(slot)}`;
        const cell = cells.get(key);
        if (cell) cell.count += count;
        else cells.set(key, { name, slot: Math.floor(slot), count });
        if (cells.size > MAX_CELLS) throw new RangeError('too many steps of time or values');
      }
      await setImmediate();
    }
    return [...cells.values()]
      .sort((a, b) => a.slot - b.slot || b.count - a.count)
      .map(({ name, slot, count }) => ({
        at: new Date(slot * bucketMs).toISOString(),
        value: name === null ? null : (this.#name.get(name) as { value: string }).value,
        count,
      }));
  }

  async #positions(
    conditions: readonly Expression<SqlBool>[],
    { above, upTo }: Window,
    order: 'newest' | 'oldest',
    limit: number,
  ): Promise<number[]> {
    const rows = await this.#query
      .selectFrom('events')
      .select('pos')
      .where('pos', '>', above)
      .where('pos', '<=', upTo)
      .where((where) => where.and(conditions))
      .orderBy('pos', order === 'newest' ? 'desc' : 'asc')
      .limit(limit)
      .execute();
    return rows.map(({ pos }) => pos);
  }

  /** Where the times of a query lie. */
  #range({ from, to }: EventFilters): Window {
    const last = (this.#last.get() as { pos: number }).pos;
    return {
      above: from === undefined ? 0 : this.#positionAt(Date.parse(from), last),
      upTo: to === undefined ? last : this.#positionAt(Date.parse(to), last),
    };
  }

  /** The conditions, and whether one index has them all; undefined if a filter names something that no event has. */
  #plan(filters: ScopedFilters): Plan | undefined {
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
    const confined = this.#confined(filters.tenants);
    if (confined === undefined) return undefined;
    if (filters.session !== undefined) conditions.push(sql`session = ${sessionDigest(filters.session)}`);
    const byIndex = driver === undefined ? 0 : filters.outcome !== undefined && composite ? 2 : 1;
    if (filters.text === undefined)
      return {
        within: () => [...conditions, ...confined],
        covered: conditions.length === byIndex && confined.length === 0,
      };
    const match = matchAll(wordsOf(filters.text));
    // The window is given to the full-text index as well: a frequent word's whole list would be read for each.
    const within = ({ above, upTo }: Window): Expression<SqlBool>[] => [
      ...conditions,
      ...confined,
      sql<SqlBool>`pos IN (SELECT rowid FROM reasons WHERE reasons MATCH ${match} AND rowid > ${above} AND rowid <= ${upTo})`,
    ];
    return { within, covered: false };
  }

  /** The condition that keeps a search to some tenants; undefined if none of them has an event. */
  #confined(tenants: readonly string[] | undefined): Expression<SqlBool>[] | undefined {
    if (tenants === undefined) return [];
    const ids = tenants.flatMap((tenant) => {
      const row = this.#nameId.get('tenant', tenant) as { id: number } | undefined;
      return row ? [row.id] : [];
    });
    return ids.length === 0 ? undefined : [sql`+tenant IN (${sql.join(ids)})`];
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

/** How a query is answered. */
interface Plan {
  within: (window: Window) => Expression<SqlBool>[];
  covered: boolean;
}

interface EntryRow {
  pos: number;
  origin: string;
  idx: number;
  time: number;
  entry: Uint8Array;
}
