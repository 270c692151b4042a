import { describe, expect, it } from '@jest/globals';
import { DcapError } from '#dcap';
import { runCampaign } from '../bench/fuzz/campaign.js';
import { run } from '../bench/fuzz/main.js';
import { supervise } from '../bench/fuzz/supervisor.js';
import { buildTargets, type Target } from '../bench/fuzz/targets.js';

const quiet = (): void => undefined;

/** A parser with a fault on some of its inputs. */
function faulty(fault: (input: Buffer) => void): Target {
  return {
    name: 'faulty',
    seeds: [Buffer.from('seed of a parser with a fault')],
    mutations: [],
    run: fault,
    share: 1,
  };
}

describe('the fuzz campaign', () => {
  it('counts errors that are not the library’s own, and its own defect code', () => {
    const raw = runCampaign(
      faulty((input) => {
        if (input.length > 40) throw new RangeError('too deep');
      }),
      200,
      'spec',
      quiet,
    );
    expect(raw.uncaught).toBeGreaterThan(0);
    expect(raw.findings[0]).toEqual(
      expect.objectContaining({ kind: 'uncaught', detail: 'RangeError: too deep' }),
    );
    const internal = runCampaign(
      faulty(() => {
        throw new DcapError('INTERNAL_ERROR', 'a defect');
      }),
      5,
      'spec',
      quiet,
    );
    expect(internal.uncaught).toBe(5);
    const own = runCampaign(
      faulty(() => {
        throw new DcapError('DER_INVALID', 'as it should');
      }),
      5,
      'spec',
      quiet,
    );
    expect([own.uncaught, own.hangs, own.accepted]).toEqual([0, 0, 0]);
  });

  it('counts an input that takes over 50 ms of processor time', () => {
    const result = runCampaign(
      faulty((input) => {
        const start = process.threadCpuUsage().user;
        while (input.toString().startsWith('seed of') && process.threadCpuUsage().user - start < 80_000);
      }),
      1,
      'spec',
      quiet,
    );
    expect([result.hangs, result.findings[0]?.kind]).toEqual([1, 'hang']);
  });

  it('makes the same inputs from the same seed, and others from another', () => {
    const inputsOf = (seed: string): string[] => {
      const seen: string[] = [];
      runCampaign(
        faulty((input) => void seen.push(input.toString('hex'))),
        50,
        seed,
        quiet,
      );
      return seen;
    };
    expect(inputsOf('a')).toEqual(inputsOf('a'));
    expect(inputsOf('a')).not.toEqual(inputsOf('b'));
  });

  it.each(buildTargets('spec').map((target) => [target.name, target] as const))(
    'starts %s from valid inputs and gets past the first checks',
    (_name, target) => {
      const result = runCampaign(target, 400, 'spec', quiet);
      expect([result.crashes, result.hangs, result.uncaught, result.findings]).toEqual([0, 0, 0, []]);
      expect(result.outcomes).toBeGreaterThan(4);
      const pristine = runCampaign(target, target.seeds.length, 'spec', quiet);
      expect(pristine.accepted).toBeGreaterThan(0);
    },
  );

  it.each([
    ['an endless loop as a hang', 'for (;;);', { hangs: 1, crashes: 0 }],
    ['an error of the thread as a crash', 'throw new Error("broken")', { hangs: 0, crashes: 1 }],
    [
      'exhausted memory as a crash',
      'const all = []; for (;;) all.push(new Array(1000).fill(0))',
      { hangs: 0, crashes: 1 },
    ],
    ['a silent end as a crash', 'process.exit(0)', { hangs: 0, crashes: 1 }],
  ])('counts %s', async (_what, program, counts) => {
    const worker = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
    const result = await supervise('any', 10, 'spec', quiet, {
      worker,
      stuckMilliseconds: 1500,
      heapMegabytes: 16,
    });
    expect(result).toEqual(expect.objectContaining({ ...counts, uncaught: 0 }));
    expect(result.findings).toHaveLength(1);
  });

  it('refuses settings that it does not know', async () => {
    expect(await run(['--inputs', 'many'])).toBe(2);
    expect(await run(['--target', 'nothing'])).toBe(2);
    expect(await run(['--unknown'])).toBe(2);
  });
});
