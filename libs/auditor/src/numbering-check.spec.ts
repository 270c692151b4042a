import { describe, expect, it } from '@jest/globals';
import type { CheckedEvent } from './entry-check.js';
import { NumberingCheck } from './numbering-check.js';

const MINUTE = 60_000;
const START = Date.parse('2026-01-01T00:00:00.000Z');

const event = (
  seq: number,
  change: { name?: string; epoch?: string; at?: number; type?: string; data?: Record<string, unknown> } = {},
): CheckedEvent => ({
  id: 'x',
  type: change.type ?? 'attestation.granted',
  tenant: 'default',
  time: new Date(START + (change.at ?? seq * 1_000)).toISOString(),
  emitter: { name: change.name ?? 'key-release', epoch: change.epoch ?? 'one', seq },
  ...(change.data ? { data: change.data } : {}),
});
const said = (seq: number, type: string, count: number): CheckedEvent =>
  event(seq, { name: 'audit', type, data: { emitter: 'key-release', epoch: 'one', count } });

function check(events: readonly CheckedEvent[], numbering = new NumberingCheck(60 * MINUTE)) {
  const now = events.flatMap((each, index) => numbering.add(each, index));
  return { now, numbering, end: numbering.unexplained({ atEnd: true }) };
}

describe('NumberingCheck', () => {
  it('is content with several emitters and epochs that number without a gap', () => {
    const events = [event(1), event(2), event(1, { epoch: 'two' }), event(1, { name: 'audit' }), event(3)];
    expect(check(events)).toMatchObject({ now: [], end: [] });
  });

  it('names a number that is missing, at the entry that reveals it', () => {
    const { end } = check([event(1), event(4), event(5)]);
    expect(end).toEqual([
      { kind: 'dropped', index: 1, message: expect.stringContaining('events 2 to 3 of key-release/one') },
    ]);
  });

  it('gives the log time to record a gap, and believes what it records', () => {
    const numbering = new NumberingCheck(60 * MINUTE);
    check([event(1), event(3)], numbering);
    expect(numbering.unexplained()).toEqual([]);
    expect(numbering.add(event(4, { at: 2 * MINUTE }), 2)).toEqual([]);
    expect(numbering.unexplained()).toMatchObject([{ kind: 'dropped', index: 1 }]);
    numbering.add(said(1, 'log.gap', 1), 3);
    expect(numbering.unexplained()).toEqual([]);
  });

  it('believes no more than was recorded', () => {
    expect(check([event(1), event(5), said(1, 'log.gap', 2)]).end).toMatchObject([
      { kind: 'dropped', index: 1 },
    ]);
  });

  it('does not take another emitter for the log', () => {
    const lie = event(4, { type: 'log.gap', data: { emitter: 'key-release', epoch: 'one', count: 1 } });
    expect(check([event(1), event(3), lie]).end).toMatchObject([{ kind: 'dropped' }]);
  });

  it('names an event behind later ones, unless the log says so', () => {
    const late = [event(1), event(3), event(2)];
    expect(check(late).end).toMatchObject([{ kind: 'rewritten', index: 2 }]);
    expect(check([...late, said(1, 'log.reordered', 1)]).end).toEqual([]);
  });

  it('names a number that is used twice, and a date before earlier ones', () => {
    expect(check([event(1), event(2), event(2)]).now).toMatchObject([{ kind: 'forged', index: 2 }]);
    expect(check([event(1, { at: 120 * MINUTE }), event(2, { at: 0 })]).now).toMatchObject([
      { kind: 'forged', index: 1 },
    ]);
  });

  it('goes on from what it remembered', () => {
    const { numbering } = check([event(1), event(2)]);
    const again = new NumberingCheck(60 * MINUTE, JSON.parse(JSON.stringify(numbering.state)) as never);
    expect(again.add(event(3), 2)).toEqual([]);
    expect(again.add(event(2), 3)).toMatchObject([{ kind: 'forged' }]);
  });

  it('judges nothing before the point where it began in the middle', () => {
    const numbering = new NumberingCheck(60 * MINUTE, { whole: false, latest: 0, epochs: {} });
    const { now, end } = check([event(7), event(6, { at: 6_000 }), event(8)], numbering);
    expect({ now, end }).toEqual({ now: [], end: [] });
  });

  describe('where other logs have some of the numbers', () => {
    const partial = () => new NumberingCheck(60 * MINUTE, undefined, false);
    const again = (numbering: NumberingCheck) =>
      new NumberingCheck(60 * MINUTE, JSON.parse(JSON.stringify(numbering.state)) as never, false);

    it('misses none of them, however many there are', () => {
      const events = Array.from({ length: 5_000 }, (_, i) => event(i * 2 + 1, { at: i }));
      expect(check(events, partial())).toMatchObject({ now: [], end: [] });
    });

    it('names a number that is used twice, also behind a restart', () => {
      const { now, numbering } = check([event(1), event(5), event(5)], partial());
      expect(now).toMatchObject([{ kind: 'forged', index: 2 }]);
      expect(again(numbering).add(event(1), 3)).toMatchObject([{ kind: 'forged', index: 3 }]);
      expect(again(numbering).add(event(7), 3)).toEqual([]);
      expect(check([event(9e9)], partial()).now).toMatchObject([{ kind: 'forged' }]);
    });

    it('names an event behind later ones, unless the log says so', () => {
      const late = [event(2), event(8), event(4)];
      expect(check(late, partial()).end).toMatchObject([{ kind: 'rewritten', index: 2 }]);
      expect(check([...late, said(1, 'log.reordered', 1)], partial()).end).toEqual([]);
    });

    it('goes on from what an earlier version remembered', () => {
      const { numbering } = check([event(1), event(3), event(6)]);
      const next = again(numbering);
      expect([next.add(event(7), 3), next.add(event(8), 4)]).toEqual([[], []]);
      expect(next.add(event(3), 5)).toMatchObject([{ kind: 'forged' }]);
      expect(next.unexplained({ atEnd: true })).toEqual([]);
    });

    it('remembers no more than a window, and calls what lies behind it late', () => {
      const numbering = partial();
      for (let i = 0; i < 150_000; i++) numbering.add(event(i * 2 + 1, { at: i }), i);
      expect(JSON.stringify(numbering.state).length).toBeLessThan(30_000);
      expect(numbering.add(event(4, { at: 150_000 }), 150_000)).toEqual([]);
      expect(numbering.unexplained({ atEnd: true })).toMatchObject([{ kind: 'rewritten', index: 150_000 }]);
    });
  });
});
