import { SiegelError } from '#contracts';
import { describe, expect, it } from '@jest/globals';
import { EarlyRefusals, refusal } from './early-refusals.js';

describe('refusals before the pipeline', () => {
  const logged: string[] = [];
  const recordMalformed = (tenant: string, protocol: string, { reason }: SiegelError): Promise<void> => {
    logged.push(`${tenant} ${protocol} ${reason?.code}`);
    return Promise.resolve();
  };

  it('are in the log before they are thrown, up to a rate', async () => {
    let now = 0;
    const refusals = new EarlyRefusals({ recordMalformed }, 'p', () => now);
    const attempt = () =>
      refusals.around('t', () => {
        throw refusal('REQUEST_MALFORMED', 'WHY', 'because');
      });
    expect(await refusals.around('t', () => 7)).toBe(7);
    for (let at = 0; at < 150; at++)
      await expect(attempt()).rejects.toMatchObject({ code: 'REQUEST_MALFORMED' });
    expect(logged).toEqual(Array(100).fill('t p WHY'));
    now += 20;
    for (let at = 0; at < 5; at++) await expect(attempt()).rejects.toThrow();
    expect(logged).toHaveLength(102);
  });

  it('are none where something failed', async () => {
    logged.length = 0;
    const refusals = new EarlyRefusals({ recordMalformed }, 'p');
    const broken = refusals.around('t', () => {
      throw new TypeError('a fault');
    });
    await expect(broken).rejects.toThrow(TypeError);
    expect(logged).toEqual([]);
  });
});
