import type { PckQuery } from '#collateral';
import { describe, expect, it } from '@jest/globals';
import { CollateralUnavailable } from './collateral-failure.js';
import { PckChains } from './pck-chains.js';

const query = (qeId: string): PckQuery => ({
  qeId,
  encryptedPpid: '',
  cpuSvn: '00',
  pceSvn: '0000',
  pceId: '0000',
});

describe('PckChains', () => {
  it('asks once for the same platform, at the same time and later', async () => {
    const asked: string[] = [];
    const chains = new PckChains(
      {
        pckChain: async ({ qeId }) => {
          asked.push(qeId);
          return `chain of ${qeId}`;
        },
      },
      1_000,
    );
    expect(await Promise.all([chains.find(query('a')), chains.find(query('a'))])).toEqual([
      'chain of a',
      'chain of a',
    ]);
    expect(await chains.find(query('a'))).toBe('chain of a');
    expect(await chains.find(query('b'))).toBe('chain of b');
    expect(asked).toEqual(['a', 'b']);
  });

  it('remembers that nobody has a chain', async () => {
    let asked = 0;
    const chains = new PckChains(
      {
        pckChain: () => {
          asked++;
          return Promise.reject(new CollateralUnavailable('nobody has it'));
        },
      },
      1_000,
    );
    for (let i = 0; i < 3; i++) await expect(chains.find(query('a'))).rejects.toThrow('nobody has it');
    expect(asked).toBe(1);
  });

  it('makes few look-ups at once, however many platforms are named', async () => {
    const waiting: (() => void)[] = [];
    const chains = new PckChains(
      { pckChain: () => new Promise((resolve) => waiting.push(() => resolve('chain'))) },
      1_000,
    );
    const asked = Array.from({ length: 50 }, (_, i) => chains.find(query(String(i))));
    const settled = Promise.allSettled(asked);
    expect(waiting).toHaveLength(8);
    for (const answer of waiting) answer();
    const results = await settled;
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
  });
});
