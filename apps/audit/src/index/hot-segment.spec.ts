import { describe, expect, it } from '@jest/globals';
import { searchPlan } from '../query/search-plan.js';
import { HotSegment } from './hot-segment.js';
import { type Offsets, walk } from './offsets.js';
import { decodePage, encodePage } from './recent-page.js';

const EVENTS = 1_500;
const entryOf = (i: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      event: {
        id: `event-${i}`,
        type: 'attestation.denied',
        outcome: 'denied',
        tenant: 'default',
        emitter: { name: 'key-release', seq: i },
        reason: { code: 'RELEASE_DENIED', message: i === 7 ? `${'x'.repeat(5_000)} thermometer` : 'No.' },
        // More values than a segment has as terms, each in two events; some events have one value twice.
        data: {
          binding: `binding-${i >> 1}`,
          grants: [{ alias: `a${i}` }, { alias: `a${i}` }, [{ alias: 'no' }]],
        },
      },
      kid: 'k',
      sig: 's',
    }),
  );

const filled = new HotSegment(0);
for (let i = 0; i < EVENTS; i++) filled.add(entryOf(i), i);

/** The same, page by page as readers see it. */
const taken = new HotSegment(0);
const source = new HotSegment(0);
for (let i = 0, mark = source.mark(); i < EVENTS; i++) {
  source.add(entryOf(i), i);
  if (i % 97 !== 0 && i !== EVENTS - 1) continue;
  taken.take(decodePage(encodePage(source.pageSince(mark))));
  mark = source.mark();
}

const offsets = (set: Offsets): number[] => [...walk(set, 0, EVENTS, 'oldest')];
const found = (segment: HotSegment, path: string, value: string): number[] =>
  offsets(searchPlan({ fields: [{ path, value }] }).candidates(segment));

describe.each([
  ['filled', filled],
  ['taken page by page', taken],
])('the segment in memory, %s', (_name, segment) => {
  it('finds every value of every field, however many a field has', () => {
    for (const i of [0, 1, 700, 1_023, 1_024, 1_100, EVENTS - 1]) {
      const pair = [i & ~1, i | 1];
      expect(found(segment, 'data.binding', `binding-${i >> 1}`)).toEqual(pair);
      expect(found(segment, 'data.grants.alias', `a${i}`)).toEqual([i]);
      expect(found(segment, 'emitter.seq', String(i))).toEqual([i]);
      expect(found(segment, 'id', `event-${i}`)).toEqual([i]);
    }
    expect(found(segment, 'data.grants.alias', 'no')).toEqual([]);
    expect(found(segment, 'data.binding', 'binding')).toEqual([]);
  });

  it('has the words that a query can ask for, and none that it cannot', () => {
    expect(offsets(searchPlan({ text: 'Thermometer' }).candidates(segment))).toEqual([7]);
    expect(segment.find('word', 'x'.repeat(5_000))).toBeUndefined();
  });

  it('has as many digests as values that are no terms', () => {
    expect([segment.count, segment.last, segment.digests('leaf').count]).toEqual([EVENTS, EVENTS, EVENTS]);
    // Each number; the alias of each event behind the 1,024th twice, and that one's second time.
    expect(segment.digests('field').count).toBe(EVENTS + 2 * (EVENTS - 1_024) + 1);
  });
});

it('is full before it has more values than memory is meant for', () => {
  const segment = new HotSegment(0);
  for (let i = 0; !segment.full; i++) {
    const words = Array.from({ length: 200 }, (_unused, at) => `w${i}x${at}`).join(' ');
    const entry = JSON.parse(entryOf(i).toString()) as { event: { reason: { message: string } } };
    entry.event.reason.message = words;
    segment.add(Buffer.from(JSON.stringify(entry)), i);
  }
  expect(segment.count).toBeLessThan(300);
});
