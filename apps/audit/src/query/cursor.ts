import { SiegelError } from '#contracts';
import { hash } from 'node:crypto';
import type { EventQuery } from './query-schema.js';

/** What a cursor must be used with: the same filters and order. */
function fingerprint({ cursor: _cursor, limit: _limit, ...query }: EventQuery): string {
  const entries = Object.entries(query).filter(([, value]) => value !== undefined);
  return hash('sha256', JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1))), 'buffer').toString(
    'hex',
    0,
    6,
  );
}

/** An opaque cursor that continues `query` behind `position`. */
export const encodeCursor = (position: number, query: EventQuery): string =>
  Buffer.from(`1.${position}.${fingerprint(query)}`).toString('base64url');

/** The position behind which the query goes on. @throws SiegelError CURSOR_INVALID */
export function decodeCursor(cursor: string, query: EventQuery): number {
  const match = /^1\.(0|[1-9][0-9]{0,15})\.([0-9a-f]{12})$/.exec(
    Buffer.from(cursor, 'base64url').toString('latin1'),
  );
  const position = Number(match?.[1]);
  if (!match || !Number.isSafeInteger(position)) throw new SiegelError('CURSOR_INVALID');
  if (match[2] !== fingerprint(query)) {
    throw new SiegelError('CURSOR_INVALID', { detail: 'the cursor belongs to a query with other filters' });
  }
  return position;
}
