import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  bitsOf,
  countCommon,
  countWithin,
  GrowingOffsets,
  intersect,
  MAX_LISTED,
  MAX_SEGMENT,
  type Offsets,
  unite,
  walk,
} from './offsets.js';
import { findInTermBlock, termBlocks, termsOfBlock, valueBytes } from './term-blocks.js';

const growing = (members: Iterable<number>): Offsets => {
  const set = new GrowingOffsets();
  for (const offset of members) set.add(offset);
  return set.offsets;
};
const every = (step: number, start = 0): number[] =>
  Array.from({ length: Math.ceil((MAX_SEGMENT - start) / step) }, (_unused, i) => start + i * step);
/** As text: Jest compares long lists element by element. */
const members = (set: Offsets, from = 0, to = MAX_SEGMENT): string =>
  [...walk(set, from, to, 'oldest')].join();

/** Lists, bitmaps, both ends of each. */
const someSet = fc.oneof(
  fc.uniqueArray(fc.nat(MAX_SEGMENT - 1), { maxLength: 40 }).map((list) => list.sort((a, b) => a - b)),
  fc.tuple(fc.integer({ min: 1, max: 14 }), fc.nat(50)).map(([step, start]) => every(step, start)),
  fc.constantFrom([], [0], [MAX_SEGMENT - 1], [0, MAX_SEGMENT - 1], every(1)),
);
const range = fc
  .tuple(fc.nat(MAX_SEGMENT), fc.nat(MAX_SEGMENT))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

describe('sets of offsets', () => {
  it('become bitmaps above what a list may have', () => {
    expect('list' in growing(every(16))).toBe(true);
    expect(every(16)).toHaveLength(MAX_LISTED);
    expect('bits' in growing([...every(16), MAX_SEGMENT - 1])).toBe(true);
    expect(growing([3, 3, 3])).toEqual({ list: Uint16Array.of(3) });
  });

  it('intersect, unite, count and are walked as sets are', () => {
    fc.assert(
      fc.property(someSet, someSet, range, (a, b, [from, to]) => {
        const [first, second] = [growing(a), growing(b)];
        const inB = new Set(b);
        const both = a.filter((offset) => inB.has(offset));
        const within = (list: number[]): number[] => list.filter((offset) => offset >= from && offset < to);
        expect(members(intersect(first, second))).toBe(both.join());
        expect(members(unite([first, second]))).toBe([...new Set([...a, ...b])].sort((x, y) => x - y).join());
        expect(members(first, from, to)).toBe(within(a).join());
        expect([...walk(first, from, to, 'newest')].join()).toBe(within(a).reverse().join());
        expect(countWithin(first, from, to)).toBe(within(a).length);
        expect(countCommon(bitsOf(first), second, from, to)).toBe(within(both).length);
      }),
      { numRuns: 20 },
    );
  });

  it('come back from blocks, whatever their values, and no others do', () => {
    const value = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.constant('x'.repeat(9_000)),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(value, someSet), { selector: ([text]) => text, maxLength: 8 }),
        (pairs) => {
          const terms = pairs
            .filter(([, set]) => set.length > 0)
            .map(([text, set]) => ({ value: text, offsets: growing(set) }));
          const blocks = [...termBlocks(terms)];
          const firsts = blocks.map(({ first }) => Buffer.from(first));
          expect(firsts).toEqual([...firsts].sort(Buffer.compare));
          const all = blocks.flatMap(({ block }) => [...termsOfBlock(Uint8Array.from(block))]);
          expect(new Map(all.map(({ value: text, offsets }) => [text, members(offsets)]))).toEqual(
            new Map(terms.map(({ value: text, offsets }) => [text, members(offsets)])),
          );
          for (const { value: text, offsets } of terms) {
            const wanted = valueBytes(text);
            const at = firsts.findLastIndex((first) => Buffer.compare(first, wanted) <= 0);
            const found = findInTermBlock(Uint8Array.from(blocks[at]!.block), wanted);
            expect(members(found!.offsets)).toBe(members(offsets));
            expect(findInTermBlock(Uint8Array.from(blocks[at]!.block), valueBytes(`${text}!`))).toEqual(
              terms.some((term) => term.value === `${text}!`) ? expect.anything() : undefined,
            );
          }
        },
      ),
      { numRuns: 15 },
    );
  });
});
