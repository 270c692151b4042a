import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { renewIdentity } from './identity-renewal.js';

const MINUTE = 60_000;
const START = Date.parse('2026-01-01T00:00:00Z');
interface Identity {
  readonly name: number;
  readonly renewAt?: Date;
}
const at = (name: number, minutes: number): Identity => ({
  name,
  renewAt: new Date(START + minutes * MINUTE),
});

describe('the renewal of an identity', () => {
  beforeEach(() => void jest.useFakeTimers({ now: START }));
  afterEach(() => void jest.useRealTimers());

  it('comes at its time, again and again, until it is stopped', async () => {
    const used: number[] = [];
    const made = [at(2, 5), at(3, 8), at(4, 9)];
    const renewal = renewIdentity(
      at(1, 2),
      () => Promise.resolve(made.shift()!),
      ({ name }) => used.push(name),
      (error) => {
        throw error;
      },
    );
    await jest.advanceTimersByTimeAsync(1.5 * MINUTE);
    expect(used).toEqual([]);
    await jest.advanceTimersByTimeAsync(MINUTE);
    expect(used).toEqual([2]);
    await jest.advanceTimersByTimeAsync(3 * MINUTE);
    expect(used).toEqual([2, 3]);
    renewal.stop();
    await jest.advanceTimersByTimeAsync(60 * MINUTE);
    expect(used).toEqual([2, 3]);
  });

  it('is tried again after a failure, one attempt at a time', async () => {
    const used: number[] = [];
    const failures: unknown[] = [];
    let attempts = 0;
    const next = async (): Promise<Identity> => {
      attempts += 1;
      if (attempts === 1) throw new Error('no authority');
      await new Promise((resolve) => setTimeout(resolve, 3 * MINUTE));
      return at(2, 600);
    };
    const renewal = renewIdentity(
      at(1, 0),
      next,
      ({ name }) => used.push(name),
      (error) => failures.push(error),
    );
    await jest.advanceTimersByTimeAsync(MINUTE);
    expect(failures).toEqual([new Error('no authority')]);
    await jest.advanceTimersByTimeAsync(4 * MINUTE);
    expect({ attempts, used }).toEqual({ attempts: 2, used: [2] });
    renewal.stop();
  });

  it('does nothing to an identity of the operator’s', async () => {
    const next = jest.fn(() => Promise.reject<Identity>(new Error('not asked for')));
    renewIdentity<Identity>({ name: 1 }, next, next, next);
    await jest.advanceTimersByTimeAsync(60 * MINUTE);
    expect(next).not.toHaveBeenCalled();
  });
});
