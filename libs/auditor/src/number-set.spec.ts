import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NumberSet } from './number-set.js';

const members = (set: NumberSet): number[] =>
  Array.from({ length: set.highest }, (_, i) => i + 1).filter((n) => set.has(n));

describe('NumberSet', () => {
  it('has what was added, says what was there before, and names the gaps', () => {
    const set = new NumberSet();
    expect([1, 2, 5, 9, 5].map((n) => set.add(n))).toEqual([true, true, true, true, false]);
    expect([members(set), set.highest, set.floor]).toEqual([[1, 2, 5, 9], 9, 0]);
    expect([...set.gaps(9)]).toEqual([
      { from: 3, to: 4 },
      { from: 6, to: 8 },
    ]);
    expect([...set.gaps(8)]).toEqual([
      { from: 3, to: 4 },
      { from: 6, to: 7 },
    ]);
    expect([...new NumberSet(3).gaps(5)]).toEqual([{ from: 4, to: 4 }]);
  });

  it('is the same as a set, over floors that rise and over what is remembered', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 3_000 }) }),
      fc.record({ raise: fc.integer({ min: 0, max: 2_500 }) }),
      fc.constant('again' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let set = new NumberSet();
        const model = new Set<number>();
        let floor = 0;
        for (const each of steps) {
          if (each === 'again') {
            const { state } = set;
            set = NumberSet.from(JSON.parse(JSON.stringify(state)) as typeof state);
          } else if ('raise' in each) {
            floor = Math.max(floor, each.raise);
            set.raise(each.raise);
            for (const n of [...model]) if (n <= floor) model.delete(n);
          } else if (each.add > floor) {
            expect(set.add(each.add)).toBe(!model.has(each.add));
            model.add(each.add);
          }
          expect(set.floor).toBe(floor);
        }
        expect(members(set)).toEqual([...model].sort((a, b) => a - b));
        const end = Math.max(floor, ...model) + 2;
        const gaps = [...set.gaps(end)].flatMap(({ from, to }) =>
          Array.from({ length: to - from + 1 }, (_, i) => from + i),
        );
        const expected = Array.from({ length: Math.max(end - floor - 1, 0) }, (_, i) => floor + 1 + i);
        expect(gaps).toEqual(expected.filter((n) => !model.has(n)));
      }),
      { numRuns: 100 },
    );
  });
});
