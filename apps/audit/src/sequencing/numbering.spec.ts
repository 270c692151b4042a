import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type EpochState, place } from './numbering.js';

const fresh = (): EpochState => ({ id: 1, emitter: 'e', epoch: 'x', next: 1, missing: [], dirty: false });

describe('placing a number', () => {
  it('takes each number once, whatever the order, and knows exactly what is missing', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 120 }), (numbers) => {
        const state = fresh();
        const seen = new Set<number>();
        for (const seq of numbers) {
          const placement = place(state, seq, 0, 'default');
          expect(placement === 'known').toBe(seen.has(seq));
          seen.add(seq);
        }
        const highest = Math.max(0, ...seen);
        expect(state.next).toBe(highest + 1);
        const missing = state.missing.flatMap(({ from, to }) =>
          Array.from({ length: to - from + 1 }, (_, i) => from + i),
        );
        const expected = Array.from({ length: highest }, (_, i) => i + 1).filter((seq) => !seen.has(seq));
        expect(missing.sort((a, b) => a - b)).toEqual(expected);
      }),
    );
  });

  it('says how it fits', () => {
    const state = fresh();
    expect(place(state, 1, 0, 't')).toBe('next');
    expect(place(state, 4, 7, 't')).toBe('after-gap');
    expect(state.missing).toEqual([{ from: 2, to: 3, since: 7, tenant: 't', reported: false }]);
    expect(place(state, 3, 0, 't')).toBe('late');
    expect(place(state, 3, 0, 't')).toBe('known');
    expect(place(state, 2, 0, 't')).toBe('late');
    expect(state.missing).toEqual([]);
  });
});
