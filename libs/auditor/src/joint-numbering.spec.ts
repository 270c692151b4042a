import { describe, expect, it } from '@jest/globals';
import type { CheckedEvent } from './entry-check.js';
import { JointNumbering } from './joint-numbering.js';

const START = Date.parse('2026-01-01T00:00:00Z');
/** The event of this number, dated a second after the one before. */
const event = (seq: number, change: Partial<CheckedEvent> = {}): CheckedEvent => ({
  id: `id-${seq}`,
  type: 'attestation.granted',
  tenant: 'shop',
  time: new Date(START + seq * 1_000).toISOString(),
  emitter: { name: 'key-release', epoch: 'one', seq },
  ...change,
});
const gap = (count: number, name = 'key-release', epoch = 'one') =>
  event(1, {
    type: 'log.gap',
    emitter: { name: 'audit', epoch: 'own', seq: 1 },
    data: { emitter: name, epoch, count },
  });
const numbers = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.ceil((to - from + 1) / step) }, (_, i) => from + i * step);

function joint(...logs: number[][]): JointNumbering {
  const numbering = new JointNumbering();
  for (const log of logs)
    log.forEach((seq, index) => expect(numbering.add(event(seq), index)).toBeUndefined());
  return numbering;
}

describe('numbers over several logs', () => {
  it('are whole together, whatever log is read first', () => {
    expect(joint(numbers(1, 399, 2), numbers(2, 400, 2)).unexplained()).toEqual([]);
    expect(joint(numbers(2, 400, 2), numbers(1, 399, 2)).unexplained()).toEqual([]);
  });

  it('show an event that is in none of them', () => {
    const [odd, even] = [numbers(1, 399, 2), numbers(2, 400, 2).filter((seq) => seq !== 100 && seq !== 102)];
    const found = joint(odd, even).unexplained();
    expect(found).toEqual([
      {
        kind: 'dropped',
        message: expect.stringContaining('2 events of key-release/one, from number 100 on'),
      },
    ]);
  });

  it('show a log that is left out', () => {
    expect(joint(numbers(1, 399, 2)).unexplained()).toMatchObject([{ kind: 'dropped' }]);
  });

  it('are not missed where a log says so itself, and no further', () => {
    const log = numbers(1, 400).filter((seq) => seq !== 7 && seq !== 8);
    const said = joint(log);
    said.add(gap(2), 0);
    expect(said.unexplained()).toEqual([]);
    const less = joint(log);
    less.add(gap(1), 0);
    expect(less.unexplained()).toHaveLength(1);
    const other = joint(log);
    other.add(gap(2, 'key-release', 'two'), 0);
    expect(other.unexplained()).toHaveLength(1);
    const several = joint(log);
    several.add(gap(2, '(several)', '(several)'), 0);
    expect(several.unexplained()).toEqual([]);
  });

  it('are not judged for the last half minute, which the logs may still record', () => {
    expect(joint(numbers(1, 400).filter((seq) => seq !== 390)).unexplained()).toEqual([]);
  });

  it('stand in one place alone, and within reason', () => {
    const numbering = joint(numbers(1, 50));
    expect(numbering.add(event(20), 3)).toMatchObject({ kind: 'forged', index: 3 });
    expect(numbering.add(event(9e9), 4)).toMatchObject({ kind: 'forged', index: 4 });
  });
});
