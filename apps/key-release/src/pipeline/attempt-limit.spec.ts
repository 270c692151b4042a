import { describe, expect, it } from '@jest/globals';
import { AttemptLimit } from './attempt-limit.js';

describe('failed attempts', () => {
  it('of one address are limited, others are not kept waiting, and time heals', () => {
    let now = 0;
    const limit = new AttemptLimit(3, () => now);
    for (let i = 0; i < 3; i++) {
      expect(limit.waitFor('a')).toBe(0);
      limit.failed('a');
    }
    expect(limit.waitFor('a')).toBe(20);
    expect(limit.waitFor('b')).toBe(0);
    now += 20_000;
    expect(limit.waitFor('a')).toBe(0);
    limit.failed('a');
    expect(limit.waitFor('a')).toBeGreaterThan(0);
  });

  it('of which some may come at once are few in the long run', () => {
    let now = 0;
    const limit = new AttemptLimit(0.2, () => now, 5);
    let tried = 0;
    for (; now < 24 * 3_600_000; now += 1_000)
      if (limit.waitFor('a') === 0) {
        tried++;
        limit.failed('a');
      }
    expect(tried).toBeGreaterThanOrEqual(5 + 287);
    expect(tried).toBeLessThanOrEqual(5 + 288);
  });
});
