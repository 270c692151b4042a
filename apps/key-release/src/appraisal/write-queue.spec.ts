import { describe, expect, it } from '@jest/globals';
import { WriteQueue } from './write-queue.js';

/** Waits for a state that must come, however slow the machine is. */
async function until(reached: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!reached() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('WriteQueue', () => {
  it('writes what waits for one key as one, and one key never twice at once', async () => {
    const written: [string, number][] = [];
    const active = new Set<string>();
    const queue = new WriteQueue<number>(
      async (key, item) => {
        expect(active.has(key)).toBe(false);
        active.add(key);
        await new Promise((resolve) => setTimeout(resolve, 5));
        active.delete(key);
        written.push([key, item]);
      },
      (a, b) => a + b,
    );
    for (const n of [1, 2, 3]) queue.push('a', n);
    queue.push('b', 10);
    await until(() => written.length >= 2);
    expect(written.sort()).toEqual([
      ['a', 6],
      ['b', 10],
    ]);
    await queue.close();
  });

  it('tries again what failed, together with what came meanwhile', async () => {
    const written: number[] = [];
    let failures = 1;
    const queue = new WriteQueue<number>(
      async (_key, item) => {
        if (failures-- > 0) {
          queue.push('a', 2);
          throw new Error('the bucket is away');
        }
        written.push(item);
      },
      (a, b) => a + b,
    );
    queue.push('a', 1);
    await until(() => written.length > 0);
    expect(written).toEqual([3]);
    await queue.close();
  });

  it('writes what waits before it closes, and does not wait for a bucket that is away', async () => {
    const written: string[] = [];
    const good = new WriteQueue<number>(
      async (key) => void written.push(key),
      (_a, b) => b,
    );
    for (let n = 0; n < 10; n++) good.push(`k${n}`, n);
    await good.close();
    expect(written).toHaveLength(10);
    const bad = new WriteQueue<number>(
      () => Promise.reject(new Error('away')),
      (_a, b) => b,
    );
    bad.push('a', 1);
    await bad.close();
  });
});
