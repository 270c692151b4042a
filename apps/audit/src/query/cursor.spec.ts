import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeCursor, encodeCursor } from './cursor.js';
import { EventQuery } from './query-schema.js';

const query = EventQuery.parse({ workload: 'payments', limit: '10' });

describe('cursors', () => {
  it('round-trip with their query, whatever its limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (position) => {
        expect(decodeCursor(encodeCursor(position, query), { ...query, limit: 3 })).toBe(position);
      }),
    );
  });

  it('are refused for another query', () => {
    const cursor = encodeCursor(5, query);
    for (const change of [
      { workload: 'other' },
      { order: 'oldest' as const },
      { outcome: 'denied' as const },
    ]) {
      expect(() => decodeCursor(cursor, { ...query, ...change })).toThrow('other filters');
    }
  });

  it('fail only with their own code', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => decodeCursor(text, query)).toThrow(expect.objectContaining({ code: 'CURSOR_INVALID' }));
      }),
    );
  });
});
