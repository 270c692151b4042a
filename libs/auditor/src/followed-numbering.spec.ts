import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CheckedEvent } from './entry-check.js';
import { FollowedNumbering, type FollowedNumberingState } from './followed-numbering.js';

const START = Date.parse('2026-01-01T00:00:00Z');
const ALL = ['log.test/shop', 'log.test/bank'];
const [SHOP, BANK] = ALL as [string, string];

interface Change {
  at?: number;
  epoch?: string;
  name?: string;
  type?: string;
  data?: Record<string, unknown>;
}
/** The event of this number, dated a second after the one before. */
const event = (seq: number, { at = seq, epoch = 'one', name = 'key-release', type, data }: Change = {}) =>
  ({
    id: `id-${seq}`,
    type: type ?? 'attestation.granted',
    tenant: 'x',
    time: new Date(START + at * 1_000).toISOString(),
    emitter: { name, epoch, seq },
    ...(data ? { data } : {}),
  }) as CheckedEvent;

/** Logs that are read in portions, and what is said of them. */
class Reading {
  numbering: FollowedNumbering;
  readonly logs = new Map<string, CheckedEvent[]>();
  readonly read = new Map<string, number>();
  #own = 0;

  constructor(
    readonly origins: readonly string[] = ALL,
    readonly complete = true,
  ) {
    this.numbering = new FollowedNumbering(origins, complete);
    for (const origin of origins) this.logs.set(origin, []);
  }

  /** The logs get these numbers of an emitter. */
  log(origin: string, seqs: number[], change: Change = {}): this {
    this.logs.get(origin)?.push(...seqs.map((seq) => event(seq, change)));
    return this;
  }

  /** The log's own record of an anomaly. */
  record(origin: string, type: string, data: Record<string, unknown>, at = 0): this {
    const own = event(++this.#own, {
      at,
      name: 'audit',
      epoch: 'own',
      type,
      data: { emitter: 'key-release', epoch: 'one', ...data },
    });
    this.logs.get(origin)!.push(own);
    return this;
  }

  /** Reads what a log has, or some of it; the frauds found on the way. */
  take(origin: string, count = Infinity) {
    const from = this.read.get(origin) ?? 0;
    const events = this.logs.get(origin)!.slice(from, from + count);
    this.read.set(origin, from + events.length);
    return events.flatMap((each, i) => this.numbering.add(origin, each, from + i) ?? []);
  }

  /** Reads all logs to their ends, twice, as a follower does all the time; what is found. */
  follow() {
    const found = [];
    for (let i = 0; i < 2; i++) {
      const { round } = this.numbering;
      for (const origin of this.origins) {
        found.push(...this.take(origin));
        this.numbering.caughtUp(origin, round);
      }
    }
    return [...found, ...this.numbering.unexplained()];
  }

  /** As the next run of the same auditor, which remembers. */
  restart(change: (state: FollowedNumberingState) => void = () => undefined): this {
    const state = JSON.parse(JSON.stringify(this.numbering.state)) as FollowedNumberingState;
    change(state);
    this.numbering = new FollowedNumbering(this.origins, this.complete, state);
    return this;
  }
}
const numbers = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
const odd = numbers(1, 199, 2);
const even = numbers(2, 200, 2);
/** Events that are dated late enough for everything before them to be judged. */
const LATER = { at: 400 };

describe('the numbers of all tenants', () => {
  let reading: Reading;
  beforeEach(() => {
    reading = new Reading();
  });

  it('are whole together, however far apart the logs are read', () => {
    reading.log(SHOP, odd).log(BANK, even).log(SHOP, [201], LATER);
    const { round } = reading.numbering;
    expect(reading.take(SHOP)).toEqual([]);
    reading.numbering.caughtUp(SHOP, round);
    // The other log is behind: that is nobody's fault.
    expect(reading.numbering.unexplained()).toEqual([]);
    expect(reading.take(BANK, 10)).toEqual([]);
    expect(reading.numbering.unexplained()).toEqual([]);
    expect(reading.follow()).toEqual([]);
  });

  it('show an event that was dropped, which no log alone shows', () => {
    reading.log(SHOP, odd).log(
      BANK,
      even.filter((seq) => seq !== 190 && seq !== 192),
    );
    expect(reading.follow()).toEqual([]);
    reading.log(SHOP, [201], LATER);
    expect(reading.follow()).toEqual([
      {
        kind: 'dropped',
        message: expect.stringContaining('2 events of key-release/one, from number 190 on'),
      },
    ]);
    // It is not forgotten by the next run, although nothing new came.
    expect(reading.restart().follow()).toMatchObject([{ kind: 'dropped' }]);
  });

  it('are judged behind a minute of events and of reading, not before', () => {
    reading.log(SHOP, odd).log(
      BANK,
      even.filter((seq) => seq !== 190),
    );
    reading.log(SHOP, [201], { at: 240 });
    expect(reading.follow()).toEqual([]);
    reading.log(SHOP, [202], { at: 275 });
    const { round } = reading.numbering;
    reading.take(SHOP);
    reading.numbering.caughtUp(SHOP, round);
    expect(reading.numbering.unexplained()).toEqual([]);
    expect(reading.follow()).toMatchObject([{ kind: 'dropped' }]);
  });

  it('show a number that stands in two places, at once and long after', () => {
    reading.log(SHOP, odd).log(BANK, [...even, 77]);
    expect(reading.follow()).toEqual([
      { kind: 'forged', index: 100, message: expect.stringContaining('number 77 of key-release/one') },
    ]);
    const settled = new Reading().log(SHOP, odd).log(BANK, even).log(SHOP, [201], LATER);
    expect(settled.follow()).toEqual([]);
    settled.restart().log(BANK, [77]);
    expect(settled.follow()).toMatchObject([{ kind: 'forged', index: 100 }]);
  });

  it('are not missed where some log says so, and no further', () => {
    const logs = () =>
      new Reading().log(SHOP, odd).log(
        BANK,
        even.filter((seq) => seq !== 100 && seq !== 102),
      );
    const gap = (seq: number) => ({ expectedSeq: seq, seq, count: 1 });
    const all = logs().record(SHOP, 'log.gap', gap(100)).record(BANK, 'log.gap', gap(102));
    expect(all.log(SHOP, [201], LATER).follow()).toEqual([]);
    const some = logs().record(SHOP, 'log.gap', gap(100)).record(BANK, 'log.gap', gap(150));
    expect(some.log(SHOP, [201], LATER).follow()).toMatchObject([
      { kind: 'dropped', message: expect.stringContaining('1 events of key-release/one, from number 102') },
    ]);
    // Several records in one say how many, not which.
    const counted = logs().record(SHOP, 'log.gap', { expectedSeq: 100, seq: 100, count: 2 });
    expect(counted.log(SHOP, [201], LATER).follow()).toEqual([]);
    const several = logs().record(SHOP, 'log.gap', {
      emitter: '(several)',
      epoch: '(several)',
      count: 2,
    });
    expect(several.log(SHOP, [201], LATER).follow()).toEqual([]);
    const other = logs().record(SHOP, 'log.gap', { epoch: 'two', count: 2 });
    expect(other.log(SHOP, [201], LATER).follow()).toMatchObject([{ kind: 'dropped' }]);
  });

  it('may come late if the log says so, and show an event that was put in later without', () => {
    const logs = () =>
      new Reading()
        .log(SHOP, odd)
        .log(
          BANK,
          even.filter((seq) => seq !== 100),
        )
        .record(SHOP, 'log.gap', { expectedSeq: 100, seq: 100, count: 1 })
        .log(SHOP, [201], LATER);
    const honest = logs();
    expect(honest.follow()).toEqual([]);
    honest.log(BANK, [100]).record(BANK, 'log.reordered', { seq: 100, count: 1 });
    expect(honest.log(SHOP, [202], { at: 600 }).follow()).toEqual([]);
    const silent = logs();
    expect(silent.follow()).toEqual([]);
    // Not before the log had its time to say so.
    expect(silent.log(BANK, [100]).restart().follow()).toEqual([]);
    expect(silent.log(SHOP, [202], { at: 600 }).follow()).toMatchObject([
      { kind: 'rewritten', message: expect.stringContaining('number 100') },
    ]);
    // Twice is once too often.
    expect(honest.restart().log(BANK, [100]).follow()).toMatchObject([{ kind: 'forged' }]);
  });

  it('are counted once over a run that ended between its two memories', () => {
    reading.log(SHOP, odd).log(BANK, even);
    expect(reading.follow()).toEqual([]);
    reading.restart();
    // The log's own memory is older: it is read again.
    reading.read.set(SHOP, 40);
    reading.log(SHOP, [201], LATER);
    expect(reading.follow()).toEqual([]);
    expect(reading.numbering.beganAnew).toBe(false);
  });

  it('are judged anew where a log was followed alone meanwhile', () => {
    reading.log(SHOP, odd).log(BANK, even);
    expect(reading.follow()).toEqual([]);
    reading.restart();
    reading.log(SHOP, [201, 203]).log(BANK, [202]);
    reading.read.set(SHOP, 101);
    reading.log(SHOP, [205], LATER).log(BANK, [204], LATER);
    expect(reading.follow()).toEqual([]);
    expect(reading.numbering.beganAnew).toBe(true);
    // From there on as ever: 207 is missing.
    reading.log(SHOP, [206], { at: 500 }).log(BANK, [208], { at: 500 }).log(SHOP, [209], { at: 600 });
    expect(reading.restart().follow()).toMatchObject([
      { kind: 'dropped', message: expect.stringContaining('from number 207 on') },
    ]);
  });

  it('begin in the middle where the logs do', () => {
    reading.log(SHOP, odd).log(BANK, even);
    for (const origin of ALL) reading.read.set(origin, 60);
    reading.log(SHOP, [201], LATER);
    expect(reading.follow()).toEqual([]);
    // A run that was silent is taken from where it shows, one that begins from there on too.
    reading.log(SHOP, [57, 58], { at: 500, epoch: 'old' }).log(BANK, [60], { at: 520, epoch: 'old' });
    reading.record(BANK, 'log.gap', { epoch: 'older', expectedSeq: 3, seq: 4, count: 2 }, 520);
    reading.log(SHOP, [202], { at: 700 });
    expect(reading.follow()).toMatchObject([
      { kind: 'dropped', message: expect.stringContaining('1 events of key-release/old, from number 59') },
    ]);
  });

  it('of a part of the logs show no gaps, and still what stands in two places', () => {
    const part = new Reading(ALL, false)
      .log(SHOP, numbers(1, 299, 3))
      .log(BANK, numbers(2, 300, 3))
      .log(SHOP, [400], { at: 900 });
    expect(part.follow()).toEqual([]);
    expect(part.restart().log(BANK, [7]).follow()).toMatchObject([{ kind: 'forged' }]);
  });

  it('of a part of the logs take no more memory than a window', () => {
    const part = new Reading(ALL, false);
    for (let from = 1; from < 300_000; from += 30_000)
      part.log(SHOP, numbers(from, from + 29_999, 3)).follow();
    expect(JSON.stringify(part.numbering.state).length).toBeLessThan(40_000);
    expect(part.log(BANK, [299_998]).follow()).toMatchObject([{ kind: 'forged' }]);
  });

  it('are within reason', () => {
    expect(reading.log(SHOP, [9e9]).follow()).toMatchObject([{ kind: 'forged', index: 0 }]);
  });

  it('never make a false alarm, whatever the portions, restarts and order of reading', () => {
    const owner = fc.array(fc.boolean(), { minLength: 200, maxLength: 200 });
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 1, max: 60 })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(owner, steps, fc.nat(199), (owners, portions, dropped) => {
        const [honest, cheated] = [new Reading(), new Reading()];
        owners.forEach((shop, i) => {
          honest.log(shop ? SHOP : BANK, [i + 1]);
          if (i !== dropped) cheated.log(shop ? SHOP : BANK, [i + 1]);
        });
        for (const each of [honest, cheated]) {
          each.log(SHOP, [201], LATER).log(SHOP, [202], { at: 600 });
          for (const [which, count] of portions) {
            const { round } = each.numbering;
            expect(each.take(ALL[which]!, count)).toEqual([]);
            const origin = ALL[which]!;
            if (each.read.get(origin) === each.logs.get(origin)!.length)
              each.numbering.caughtUp(origin, round);
            if (each === honest) expect(each.numbering.unexplained()).toEqual([]);
            if (count % 7 === 0) each.restart();
          }
        }
        expect(honest.follow()).toEqual([]);
        expect(cheated.follow()).toMatchObject([{ kind: 'dropped' }]);
      }),
      { numRuns: 60 },
    );
  });
});
