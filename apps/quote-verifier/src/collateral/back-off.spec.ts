import { describe, expect, it } from '@jest/globals';
import { pauseAfter, refreshAfter } from './back-off.js';

describe('pauses after failures', () => {
  it('double up to a quarter of an hour', () => {
    const pauses = [1, 2, 3, 10, 100].map((failures) => pauseAfter(failures, 10_000, () => 1));
    expect(pauses).toEqual([10_000, 20_000, 40_000, 900_000, 900_000]);
  });
  it('spread over their upper half', () => {
    expect(pauseAfter(1, 10_000, () => 0)).toBe(5_000);
  });
});

describe('refresh', () => {
  const now = Date.parse('2026-11-23T00:00:00Z');
  const day = 86_400_000;
  const at = (fetched: number, expires: number, random = 0): number =>
    refreshAfter(now, fetched, expires, 86_400, 10_000, () => random);

  it('is due after the greatest age', () => expect(at(now, now + 30 * day)).toBe(day));
  it('counts the age since the fetch, whoever fetched', () =>
    expect(at(now - day / 2, now + 30 * day)).toBe(day / 2));
  it('is due after half of what is left, where that is sooner', () =>
    expect(at(now, now + day)).toBe(day / 2));
  it('comes up to a tenth earlier', () => expect(at(now, now + 30 * day, 1)).toBe(0.9 * day));
  it('never runs in a loop on collateral that has expired', () => expect(at(now, now - day)).toBe(10_000));
});
