import { Readable } from 'node:stream';
import type { Search } from './enclave-story.js';
import { EXPORT_FORMATS } from './export-format.js';
import type { ScopedFilters } from './query-schema.js';

const PAGE = 500;
/** Pages that may wait for whoever reads; no further one is searched for before one was taken. */
const PAGES_AHEAD = 2;

export interface ExportRequest {
  format: keyof typeof EXPORT_FORMATS;
  filters: ScopedFilters;
  /** Position of the last entry that is exported. */
  end: number;
}

/** Everything that matches, oldest first, as fast as it is read and no faster: memory is a few pages, whatever the log's size. */
export function exportStream(search: Search, request: ExportRequest): Readable {
  return Readable.from(lines(search, request), { highWaterMark: PAGES_AHEAD });
}

async function* lines(search: Search, { format, filters, end }: ExportRequest): AsyncGenerator<string> {
  const { head, line } = EXPORT_FORMATS[format];
  if (head !== '') yield head;
  let after = 0;
  for (let more = true; more && after < end;) {
    const page = await search({ filters, order: 'oldest', after, limit: PAGE });
    const text = page.events
      .filter(({ position }) => position <= end)
      .map(line)
      .join('');
    if (text !== '') yield text;
    after = page.searchedTo;
    more = page.more;
  }
}
