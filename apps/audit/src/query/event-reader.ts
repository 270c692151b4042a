import { leafHash } from '#transparency';
import { type Expression, Kysely, type SqlBool, sql } from 'kysely';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { DigestedFact, NamedFact } from '../index/facts.js';
import type { Dictionary } from '../index/index-database.js';
import { leafDigest, parseEntry, uuidBytes } from '../index/indexed-fields.js';
import { nodeSqliteDialect } from '../store/sqlite-dialect.js';
import { CANDIDATES, MAX_CELLS, countOneByOne } from './count-one-by-one.js';
import type { PackedEvents } from './packed-events.js';
import type { EventFilters, LoggedEvent, ScopedFilters } from './query-schema.js';
import { SearchPlanner, type Window } from './search-plan.js';

interface IndexTables {
  names: { id: number; kind: string; value: string };
  events: Record<
    'pos' | 'log' | 'idx' | 'time' | 'session' | Dictionary | NamedFact | DigestedFact,
    number
  > & { id: Uint8Array };
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
/** Time after which one that found nothing says how far it came. */
const PATIENCE_MS = 1_000;
/** The range in steps, from its near end. */
function* windows({ above, upTo }: Window, order: 'newest' | 'oldest', step: number): Generator<Window> {
  if (order === 'oldest') {
    for (let low = above; low < upTo; low += step) yield { above: low, upTo: Math.min(low + step, upTo) };
  } else {
    for (let high = upTo; high > above; high -= step)
      yield { above: Math.max(high - step, above), upTo: high };
  }
}

/** What of a window is left behind a position. */
const behind = (window: Window, position: number, order: 'newest' | 'oldest'): Window =>
  order === 'oldest' ? { ...window, above: position } : { ...window, upTo: position - 1 };

/** Reads events by search, by id and in order. Opened beside the writers; sees whole commits. */
export class EventReader {
  readonly #query: Kysely<IndexTables>;
  readonly #entry: StatementSync;
  readonly #next: StatementSync;
  readonly #name: StatementSync;
  readonly #byId: StatementSync;
  readonly #byLeaf: StatementSync;
  readonly #planner: SearchPlanner;
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
    this.#planner = new SearchPlanner(index);
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
   * calls in between; it may give a short page, and after a second of finding nothing an empty one: `more` says whether it goes on.
   */
  async search({ filters, order, after, limit }: PositionQuery): Promise<PositionPage> {
    const range = this.#range(filters);
    const above = order === 'oldest' ? Math.max(range.above, after ?? 0) : range.above;
    const upTo = order === 'newest' && after !== undefined ? Math.min(range.upTo, after - 1) : range.upTo;
    const plan = this.#planner.plan(filters);
    const events: LoggedEvent[] = [];
    let searchedTo = order === 'oldest' ? above : upTo;
    const started = performance.now();
    const overdue = (): boolean =>
      performance.now() - started > (events.length > 0 ? BUDGET_MS : PATIENCE_MS);
    const steps = windows(
      { above, upTo: plan ? upTo : above },
      order,
      plan?.covered ? Infinity : this.window,
    );
    for (const step of steps) {
      for (let rest: Window | undefined = step; rest;) {
        const wanted: number = plan!.residual ? CANDIDATES : limit + 1 - events.length;
        const positions: number[] = await this.#positions(plan!.within(rest), rest, order, wanted);
        for (const position of positions) {
          if (events.length === limit) return { events, more: true, searchedTo };
          const event = this.#load(position)!;
          searchedTo = position;
          if (!plan!.confirm || plan!.confirm(event.event as never)) events.push(event);
        }
        rest = positions.length < wanted ? undefined : behind(rest, positions.at(-1)!, order);
        if (rest && overdue()) return { events, more: true, searchedTo };
        if (rest) await setImmediate();
      }
      searchedTo = order === 'oldest' ? step.upTo : step.above + 1;
      const end = order === 'oldest' ? step.upTo >= upTo : step.above <= above;
      if (!end && overdue()) return { events, more: true, searchedTo };
      if (!end) await setImmediate();
    }
    return { events, more: false, searchedTo: order === 'oldest' ? Math.max(upTo, above) : above };
  }

  /** How many events match, by the values of one field and in steps of time. @throws RangeError for too many cells */
  async count({ filters, by, bucketMs }: CountQuery): Promise<CountCell[]> {
    const { above, upTo } = this.#range(filters);
    const plan = this.#planner.plan(filters);
    if (plan?.confirm) return countOneByOne({ filters, by, bucketMs }, (query) => this.search(query));
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
