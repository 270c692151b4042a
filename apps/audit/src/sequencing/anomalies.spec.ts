import { describe, expect, it } from '@jest/globals';
import { type Anomaly, AnomalyLedger } from './anomalies.js';

const forged = (emitter: string, seq = 1): Anomaly => ({
  kind: 'forged',
  tenant: 'default',
  emitter,
  epoch: 'x',
  seq,
  count: 1,
  reason: { code: 'SIGNATURE_INVALID', message: 'no' },
});

describe('the ledger of anomalies', () => {
  it('records the first at once and the rest of a window as one', () => {
    const ledger = new AnomalyLedger();
    for (let i = 1; i <= 50; i++) ledger.note(forged('a', i), 0);
    expect(ledger.take(0)).toMatchObject([{ seq: 1, count: 1 }]);
    expect(ledger.hasDue(9_999)).toBe(false);
    expect(ledger.hasDue(10_000)).toBe(true);
    expect(ledger.take(10_000)).toMatchObject([{ seq: 2, count: 49 }]);
    expect(ledger.take(20_000)).toEqual([]);
    ledger.note(forged('a'), 20_001);
    expect(ledger.take(20_001)).toHaveLength(1);
  });

  it('counts together what a flood of names would tell apart', () => {
    const ledger = new AnomalyLedger();
    for (let i = 0; i < 10_000; i++) ledger.note(forged(`name-${i}`), 0);
    const records = [...ledger.take(0), ...ledger.take(10_000)];
    expect(records.length).toBeLessThan(300);
    expect(records.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  });

  it('keeps tenants apart also then: each log speaks of its own', () => {
    const ledger = new AnomalyLedger();
    for (let i = 0; i < 600; i++)
      ledger.note({ ...forged(`name-${i}`), tenant: i % 2 === 0 ? 'default' : 'other' }, 0);
    const counts = { default: 0, other: 0 };
    for (const { tenant, count } of [...ledger.take(0), ...ledger.take(10_000)])
      counts[tenant as keyof typeof counts] += count;
    expect(counts).toEqual({ default: 300, other: 300 });
  });

  it('loses nothing when a record could not be written, or at the end', () => {
    const ledger = new AnomalyLedger();
    ledger.note(forged('a', 1), 0);
    ledger.restore(ledger.take(0));
    ledger.note(forged('a', 2), 1);
    expect(ledger.drain()).toMatchObject([{ seq: 1 }, { seq: 2 }]);
    expect(ledger.drain()).toEqual([]);
  });
});
