import { leafHash } from '#transparency';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { digestOf, leafDigestOf } from '../index/digests.js';
import type { Dictionary } from '../index/facts.js';
import { parseEntry } from '../index/indexed-fields.js';
import { walk } from '../index/offsets.js';
import type { DigestKind } from '../index/term-kinds.js';
import { countOneByOne } from './count-one-by-one.js';
import { CellCounter } from './cell-counter.js';
import type { PackedEvents } from './packed-events.js';
import type { EventFilters, LoggedEvent, ScopedFilters } from './query-schema.js';
import { searchPlan } from './search-plan.js';
import { SegmentReader } from './segment-reader.js';

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

/** Time after which a search that found something gives what it has, in milliseconds. */
const BUDGET_MS = 25;
/** Time after which one that found nothing says how far it came. */
const PATIENCE_MS = 1_000;
/** Time after which other calls are let in between, in milliseconds. */
const TURN_MS = 5;
/** Events that are looked at between two looks at the clock. */
const LOOKED_AT = 32;

/** Reads events by search, by id and in order. Opened beside the writers; sees whole commits. */
export class EventReader {
  readonly #segments: SegmentReader;
  readonly #entry: StatementSync;
  readonly #next: StatementSync;

  constructor(log: DatabaseSync, index: DatabaseSync) {
    const columns = `SELECT pos, origin, idx, time, entry FROM entries
      JOIN batches ON batches.id = batch_id JOIN logs ON logs.id = entries.log_id`;
    this.#entry = log.prepare(`${columns} WHERE pos = ?`);
    this.#next = log.prepare(`${columns} WHERE pos > ? ORDER BY pos LIMIT ?`);
    this.#segments = new SegmentReader(index);
  }

  /** The event with this id, wherever it is in the logs. */
  byId(id: string): LoggedEvent | undefined {
    for (const position of this.#candidates('id', digestOf(id))) {
      const found = this.#load(position);
      if (found?.event.id === id) return found;
    }
    return undefined;
  }

  /** Where the entry with this leaf hash (hex) is. */
  byLeaf(leaf: string): { log: string; index: number } | undefined {
    for (const position of this.#candidates('leaf', leafDigestOf(Buffer.from(leaf, 'hex')))) {
      const row = this.#entry.get(position) as unknown as EntryRow | undefined;
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
   * A page of the events that match. A search goes through the log segment by segment and lets other calls in between; it
   * may give a short page, and after a second of finding nothing an empty one: `more` says whether it goes on.
   */
  async search({ filters, order, after, limit }: PositionQuery): Promise<PositionPage> {
    const range = this.#range(filters);
    const oldest = order === 'oldest';
    const above = oldest ? Math.max(range.above, after ?? 0) : range.above;
    const upTo = !oldest && after !== undefined ? Math.min(range.upTo, after - 1) : range.upTo;
    const { candidates, confirm } = searchPlan(filters);
    const events: LoggedEvent[] = [];
    const started = performance.now();
    const overdue = (): boolean =>
      performance.now() - started > (events.length > 0 ? BUDGET_MS : PATIENCE_MS);
    let turn = started;
    let searchedTo = oldest ? above : upTo + 1;
    for (let [low, high] = [above, upTo]; low < high;) {
      const segment = this.#segments.at(oldest ? low + 1 : high);
      const from = Math.max(low - segment.above, 0);
      const to = Math.min(high, segment.last) - segment.above;
      let looked = 0;
      for (const offset of walk(candidates(segment), from, to, order)) {
        const position = segment.above + 1 + offset;
        if (events.length === limit) return { events, more: true, searchedTo };
        const event = this.#load(position)!;
        searchedTo = position;
        if (!confirm || confirm(event.event as never)) events.push(event);
        if (++looked % LOOKED_AT !== 0) continue;
        if (overdue()) return { events, more: true, searchedTo };
        turn = await giveWay(turn);
      }
      if (oldest) searchedTo = low = Math.min(segment.last, upTo);
      else {
        high = segment.above;
        searchedTo = Math.max(high, above) + 1;
      }
      if (low < high && overdue()) return { events, more: true, searchedTo };
      turn = await giveWay(turn);
    }
    return { events, more: false, searchedTo: oldest ? Math.max(upTo, above) : above };
  }

  /** How many events match, by the values of one field and in steps of time. @throws RangeError for too many cells */
  async count({ filters, by, bucketMs }: CountQuery): Promise<CountCell[]> {
    const { above, upTo } = this.#range(filters);
    const { candidates, confirm } = searchPlan(filters);
    if (confirm) return countOneByOne({ filters, by, bucketMs }, (query) => this.search(query));
    const counter = new CellCounter(by, bucketMs);
    let turn = performance.now();
    for (let low = above; low < upTo;) {
      const segment = this.#segments.at(low + 1);
      const end = Math.min(upTo, segment.last);
      counter.add(segment, candidates(segment), Math.max(low - segment.above, 0), end - segment.above);
      low = end;
      turn = await giveWay(turn);
    }
    return counter.cells();
  }

  /** Where the times of a query lie. */
  #range({ from, to }: EventFilters): { above: number; upTo: number } {
    const last = this.#segments.refresh();
    const before = (time: string | undefined): number | undefined =>
      time === undefined ? undefined : this.#segments.lastBefore(Date.parse(time), last);
    return { above: before(from) ?? 0, upTo: before(to) ?? last };
  }

  /** Positions of the events that may have what the digest stands for, ascending. */
  *#candidates(kind: DigestKind, digest: number): Generator<number> {
    const last = this.#segments.refresh();
    for (let above = 0; above < last;) {
      const segment = this.#segments.at(above + 1);
      for (const offset of segment.candidates(kind, digest)) yield segment.above + 1 + offset;
      above = segment.last;
    }
  }

  #load(position: number): LoggedEvent | undefined {
    const row = this.#entry.get(position) as unknown as EntryRow | undefined;
    if (!row) return undefined;
    const { event, kid, sig } = parseEntry(row.entry);
    const loggedAt = new Date(row.time).toISOString();
    return { position: row.pos, log: row.origin, index: row.idx, loggedAt, event, kid, sig };
  }
}

/** Lets other calls in between, if it is time. */
async function giveWay(turn: number): Promise<number> {
  if (performance.now() - turn < TURN_MS) return turn;
  await setImmediate();
  return performance.now();
}

interface EntryRow {
  pos: number;
  origin: string;
  idx: number;
  time: number;
  entry: Uint8Array;
}
