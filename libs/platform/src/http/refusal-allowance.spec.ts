import { describe, expect, it } from '@jest/globals';
import { RefusalAllowance } from './refusal-allowance.js';

describe('RefusalAllowance', () => {
  it('lets so many through at once, then as many a second, and saves no more than that', () => {
    let now = 0;
    const allowance = new RefusalAllowance(5, () => now);
    const taken = (tries: number): number =>
      Array.from({ length: tries }, () => allowance.take()).filter(Boolean).length;
    expect(taken(20)).toBe(5);
    now = 400;
    expect(taken(20)).toBe(2);
    now = 3_600_000;
    expect(taken(20)).toBe(5);
  });
});
