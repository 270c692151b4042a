import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { bucketOf, DigestColumn, digestOf, findInDigestBlock } from './digests.js';
import { TimeRuns } from './time-runs.js';

describe('digests', () => {
  const values = Array.from({ length: 3_000 }, () => randomUUID());
  const column = new DigestColumn();
  for (const [offset, value] of values.entries()) column.add(digestOf(value), offset);
  // A value that several events have.
  for (const offset of [10, 20, 20, 65_535]) column.add(digestOf('again'), offset);
  const blocks = new Map([...column.blocks()].map(({ bucket, block }) => [bucket, block]));
  const sealed = (value: string): number[] => {
    const block = blocks.get(bucketOf(digestOf(value)));
    return block ? findInDigestBlock(block, digestOf(value)) : [];
  };

  it('are spread over all buckets, and differ', () => {
    expect(new Set(values.map(digestOf)).size).toBe(values.length);
    expect(blocks.size).toBe(256);
    expect(Math.max(...[...blocks.values()].map(({ length }) => length / 6))).toBeLessThan(40);
    for (const value of values) expect(digestOf(value)).toBeLessThan(2 ** 40);
    // Values that differ in one character at the end or the beginning.
    const close = Array.from({ length: 200 }, (_unused, i) => [`${i}-session`, `session-${i}`]).flat();
    expect(new Set(close.map(digestOf)).size).toBe(400);
  });

  it('find their offsets, sealed or not, and nothing else', () => {
    for (const [offset, value] of values.entries()) {
      expect(sealed(value)).toEqual([offset]);
      if (offset % 100 === 0) expect(column.find(digestOf(value))).toEqual([offset]);
    }
    expect([sealed('again'), column.find(digestOf('again'))]).toEqual([
      [10, 20, 65_535],
      [10, 20, 65_535],
    ]);
    expect([sealed('never'), column.find(digestOf('never'))]).toEqual([[], []]);
  });

  it('give what came since', () => {
    expect(column.since(values.length)).toEqual(
      [10, 20, 20, 65_535].flatMap((offset) => [digestOf('again'), offset]),
    );
  });
});

describe('times', () => {
  const times = [1_000, 1_000, 1_500, 2_999, 3_000, 3_000, 9_000];
  const runs = new TimeRuns();
  for (const [offset, time] of times.entries()) runs.add(offset, time);

  it.each([runs, TimeRuns.decode(runs.encode())])('say where a time begins', (each) => {
    expect([each.first, each.last]).toEqual([1_000, 9_000]);
    for (const time of [0, 1_000, 1_001, 1_500, 2_999, 3_000, 3_001, 9_000, 9_001]) {
      const first = times.findIndex((other) => other >= time);
      expect(each.offsetAt(time, 7)).toBe(first < 0 ? 7 : first);
    }
    expect([...each.steps(1_000, 1, 7)]).toEqual([
      { step: 1, from: 1, to: 3 },
      { step: 2, from: 3, to: 4 },
      { step: 3, from: 4, to: 6 },
      { step: 9, from: 6, to: 7 },
    ]);
    expect([...each.steps(1_000, 2, 2)]).toEqual([]);
  });
});
