import { DICTIONARY_PATHS } from '../index/facts.js';
import { fieldValues } from '../index/field-values.js';
import type { CountCell, CountQuery, PositionPage, PositionQuery } from './event-reader.js';

/** Events that are looked at together where the index does not decide alone. */
export const CANDIDATES = 512;
/** Steps of time and values that one answer may have. */
export const MAX_CELLS = 10_000;
/** Positions that are looked through at most to count by a field that is not indexed. */
const MAX_LOOKED_THROUGH = 1_000_000;

/** Counts by looking at every event, for filters that no index decides alone. @throws RangeError for too many cells or events */
export async function countOneByOne(
  { filters, by, bucketMs }: CountQuery,
  search: (query: PositionQuery) => Promise<PositionPage>,
): Promise<CountCell[]> {
  const cells = new Map<string, CountCell>();
  const field = DICTIONARY_PATHS[by];
  let seen = 0;
  let after: number | undefined;
  for (let more = true; more;) {
    const page = await search({ filters, order: 'oldest', after, limit: CANDIDATES });
    for (const { event, loggedAt } of page.events) {
      const at = new Date(Math.floor(Date.parse(loggedAt) / bucketMs) * bucketMs).toISOString();
      const value = fieldValues(event, field)[0] ?? null;
      const key = `${at}/${value}`;
      const cell = cells.get(key);
      if (cell) cell.count++;
      else cells.set(key, { at, value, count: 1 });
    }
    seen += page.searchedTo - (after ?? 0);
    if (cells.size > MAX_CELLS) throw new RangeError('too many steps of time or values');
    if (seen > MAX_LOOKED_THROUGH && more)
      throw new RangeError('too many events to count by a field that is not indexed: narrow the time');
    ({ more, searchedTo: after } = page);
  }
  return [...cells.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : b.count - a.count));
}
