import type { CountCell, CountQuery, PositionPage, PositionQuery } from './event-reader.js';
import type { PackedEvents } from './packed-events.js';
import type { LoggedEvent } from './query-schema.js';

type Eventually<T> = T | Promise<T>;

/** Reading events by search, by id and in order: the same answers from every kind of store. */
export interface EventSource {
  byId(id: string): Eventually<LoggedEvent | undefined>;
  byLeaf(leaf: string): Eventually<{ log: string; index: number } | undefined>;
  after(position: number, limit: number): Eventually<PackedEvents>;
  /** @throws RangeError if that takes too long */
  search(query: PositionQuery): Promise<PositionPage>;
  /** @throws RangeError for too many cells, or if that takes too long */
  count(query: CountQuery): Promise<CountCell[]>;
  /** Whether an error says that the store did not answer; a store in this process always does. */
  isUnreachable?(error: unknown): boolean;
}
