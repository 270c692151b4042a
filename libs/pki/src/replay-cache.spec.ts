import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ReplayCache } from './replay-cache.js';

const at = (seconds: number): Date => new Date(1_800_000_000_000 + seconds * 1000);

describe('ReplayCache', () => {
  it('remembers an identifier until it expires', () => {
    const cache = new ReplayCache();
    expect(cache.claim('a', at(10), at(0))).toBe('fresh');
    expect(cache.claim('a', at(10), at(10))).toBe('replayed');
    expect(cache.claim('b', at(10), at(10))).toBe('fresh');
    expect(cache.size).toBe(2);
    expect(cache.claim('a', at(30), at(11.5))).toBe('fresh');
    expect(cache.size).toBe(1);
  });

  it('fails closed when full, and has room again when entries expire', () => {
    const cache = new ReplayCache({ maxEntries: 3 });
    for (const id of ['a', 'b', 'c']) expect(cache.claim(id, at(10), at(0))).toBe('fresh');
    expect(cache.claim('d', at(10), at(1))).toBe('full');
    // What is remembered is still recognised: nothing was evicted for it.
    expect(cache.claim('a', at(10), at(1))).toBe('replayed');
    expect(cache.claim('d', at(20), at(11.1))).toBe('fresh');
  });

  it('does not call fresh what it may have forgotten, when the clock is set back', () => {
    const cache = new ReplayCache();
    expect(cache.claim('a', at(10), at(0))).toBe('fresh');
    expect(cache.claim('b', at(100), at(50))).toBe('fresh');
    expect(cache.claim('a', at(10), at(5))).toBe('full');
    expect(cache.claim('c', at(10), at(60))).toBe('full');
    expect(cache.claim('d', new Date(NaN), at(60))).toBe('full');
    expect(cache.claim('e', at(90), new Date(NaN))).toBe('full');
  });

  it('never accepts an identifier twice while it lives, whatever the order of calls and the steps of the clock', () => {
    const calls = fc.array(fc.record({ id: fc.nat(12), step: fc.integer({ min: -8, max: 10 }) }), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(calls, (list) => {
        const cache = new ReplayCache({ maxEntries: 4 });
        const accepted = new Set<number>();
        let now = 0;
        for (const { id, step } of list) {
          now += step;
          // An identifier expires at one moment, as a proof's iat or a challenge's expiry fixes it.
          const expiry = id * 5;
          if (now > expiry) continue;
          if (cache.claim(String(id), at(expiry), at(now)) === 'fresh') {
            expect(accepted.has(id)).toBe(false);
            accepted.add(id);
          }
          expect(cache.size).toBeLessThanOrEqual(4);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a bound that is none', () => {
    expect(() => new ReplayCache({ maxEntries: 0 })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID' }),
    );
    expect(() => new ReplayCache({ maxEntries: NaN })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID' }),
    );
  });
});
