import { type EntryPromise, leafHash, MemoryTree, PromiseVerifier } from '#transparency';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type KeyObject, createPublicKey, randomUUID } from 'node:crypto';
import type { IncomingEvent } from '../../apps/audit/src/sequencing/placer.js';
import { LOGS, type MakeStore, ownEvents, type StoreUnderTest } from '../stores-under-test.js';

const START = Date.UTC(2026, 0, 30, 12);
const DAY = 86_400_000;

const event = (seq: number, epoch = 'epoch', tenant = 'default', text = ''): IncomingEvent => ({
  tenant,
  emitter: 'key-release',
  epoch,
  seq,
  entry: Buffer.from(JSON.stringify({ epoch, seq, text })),
});
const promiseIn = (result: unknown): EntryPromise =>
  (JSON.parse((result as { reply: string }).reply) as { promise: EntryPromise }).promise;

/** What committing must do in every kind of store. */
export function committingContract(make: MakeStore, privateKey: KeyObject): void {
  const publicKey = createPublicKey(privateKey);
  const verifier = new PromiseVerifier(LOGS.map(({ origin, kid }) => ({ origin, kid, publicKey })));
  const opened: StoreUnderTest[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });
  const open: MakeStore = async (partition) => {
    const store = await make(partition);
    opened.push(store);
    return store;
  };

  describe('committing', () => {
    it('gives consecutive indexes per log and promises that verify', async () => {
      const store = await open();
      const events = [event(1), event(1, 'b', 'other'), event(2), event(2, 'b', 'other'), event(3)];
      const { results, appended, head } = await store.commit(events, START);
      const promises = results.map(promiseIn);
      expect(promises.map(({ log, index }) => [log, index])).toEqual([
        [LOGS[0]!.origin, 0],
        [LOGS[1]!.origin, 0],
        [LOGS[0]!.origin, 1],
        [LOGS[1]!.origin, 1],
        [LOGS[0]!.origin, 2],
      ]);
      promises.forEach((promise, i) => verifier.verify(promise, events[i]!.entry));
      expect({ appended, head }).toEqual({ appended: 5, head: 5 });
      const source = await store.source(LOGS[0]!);
      expect(await source.committed()).toBe(3);
      expect((await source.entries(1, 3)).map((entry) => Buffer.from(entry))).toEqual(
        [events[2]!, events[4]!].map(({ entry }) => entry),
      );
    });

    it('never lets its time go back', async () => {
      const store = await open();
      await store.commit([event(1)], START + 9_000);
      await store.reopen();
      const { results } = await store.commit([event(2)], START + 4_000);
      expect(promiseIn(results[0]).time).toBe(START + 9_000);
    });

    it('stores each event once however commits, repetitions, restarts and months fall', async () => {
      const group = fc.array(
        fc.record({ seq: fc.integer({ min: 1, max: 12 }), epoch: fc.constantFrom('a', 'b') }),
        { maxLength: 8 },
      );
      const step = fc.record({ group, restart: fc.boolean(), days: fc.constantFrom(0, 0, 0, 40) });
      const store = await open('month');
      const log = LOGS[0]!;
      let now = START;
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
          run++;
          const start = await (await store.source(log)).committed();
          const promised = new Map<string, EntryPromise>();
          for (const { group: wanted, restart, days } of steps) {
            if (restart) await store.reopen();
            now += days * DAY;
            const events = wanted.map(({ seq, epoch }) => event(seq, `${epoch}-${run}`));
            const { results } = await store.commit(events, now);
            for (const [i, result] of results.entries()) {
              const promise = promiseIn(result);
              verifier.verify(promise, events[i]!.entry);
              const key = `${events[i]!.epoch}/${events[i]!.seq}`;
              // A repetition gets exactly the promise that the first one got.
              expect(promised.get(key) ?? promise).toEqual(promise);
              promised.set(key, promise);
            }
          }
          const source = await store.source(log);
          const size = await source.committed();
          const entries = await source.entries(start, size);
          expect(entries).toHaveLength(size - start);
          const texts = entries.map((entry) => Buffer.from(entry).toString());
          expect(texts.filter((text) => !text.includes('"kid":"own-key"'))).toHaveLength(promised.size);
          for (const { index, leafHash: leaf } of promised.values())
            expect(leafHash(entries[index - start]!).toString('hex')).toBe(leaf);
        }),
        { numRuns: 15 },
      );
    }, 60_000);

    it('goes on from one day to the next and over days without events', async () => {
      const store = await open('day');
      const days = [0, 1, 2, 40];
      for (const [i, day] of days.entries()) await store.commit([event(i + 1)], START + day * DAY);
      await store.reopen();
      // Repetitions are found wherever they are.
      const again = await store.commit(
        days.map((_, i) => event(i + 1)),
        START + 41 * DAY,
      );
      expect(again.results.map((result) => promiseIn(result).time)).toEqual(
        days.map((day) => START + day * DAY),
      );
      expect((await (await store.source(LOGS[0]!)).entries(0, 4)).map((entry) => Buffer.from(entry))).toEqual(
        days.map((_, i) => event(i + 1).entry),
      );
    });

    it('refuses a second event under a known number and records it', async () => {
      const store = await open();
      const [first] = (await store.commit([event(1)], START)).results;
      const { results } = await store.commit([event(1, 'epoch', 'default', 'changed')], START);
      expect(results[0]).toMatchObject({ code: 'AUDIT_SEQUENCE_CONFLICT' });
      expect((await ownEvents(store)).at(-1)).toMatchObject({
        type: 'log.duplicate',
        outcome: 'alert',
        data: { seq: 1 },
      });
      const again = await store.commit([event(1)], START);
      expect(promiseIn(again.results[0])).toEqual(promiseIn(first));
    });

    it('answers the same event twice within one commit with one promise', async () => {
      const store = await open();
      const { results, appended } = await store.commit([event(1), event(1), event(2)], START);
      expect(promiseIn(results[1])).toEqual(promiseIn(results[0]));
      // Two events and the record of the repetition.
      expect(appended).toBe(3);
    });

    it('reports a gap once, after its grace, also across a restart', async () => {
      const store = await open();
      await store.commit([event(1), event(5)], START);
      await store.reopen();
      expect(store.hasDue(START + 500)).toBe(false);
      expect(store.hasDue(START + 1_001)).toBe(true);
      await store.commit([], START + 1_001);
      await store.reopen();
      await store.commit([event(6)], START + 9_000);
      const gaps = (await ownEvents(store)).filter(({ type }) => type === 'log.gap');
      expect(gaps).toHaveLength(1);
      expect(gaps[0]!.data).toMatchObject({ expectedSeq: 2, seq: 4, count: 3 });
      const late = await store.commit([event(3)], START + 9_500);
      expect(promiseIn(late.results[0]).index).toBeGreaterThan(0);
      expect((await ownEvents(store)).at(-1)).toMatchObject({ type: 'log.reordered', data: { seq: 3 } });
    });

    it('takes a group of the largest size, with entries of every length', async () => {
      const store = await open();
      const events = Array.from({ length: 1_024 }, (_, i) =>
        event(i + 1, 'large', i % 3 === 0 ? 'other' : 'default', 'x'.repeat((i * 37) % 900)),
      );
      const { results } = await store.commit(events, START);
      const source = await store.source(LOGS[0]!);
      const entries = await source.entries(0, await source.committed());
      results.forEach((result, i) => {
        const promise = promiseIn(result);
        verifier.verify(promise, events[i]!.entry);
        if (promise.log === LOGS[0]!.origin)
          expect(Buffer.from(entries[promise.index]!).equals(events[i]!.entry)).toBe(true);
      });
      // And its repetition: every promise is cut from the stored batch again.
      await store.reopen();
      const again = await store.commit(events, START + 1);
      expect(again.results.map(promiseIn)).toEqual(results.map(promiseIn));
      const root = new MemoryTree(entries.map((entry) => leafHash(entry))).root();
      expect(root).toHaveLength(32);
    }, 30_000);

    it('bounds the gaps that one emitter can open', async () => {
      const store = await open();
      const epoch = randomUUID();
      const events = Array.from({ length: 600 }, (_, i) => event(2 * i + 2, epoch));
      const { results } = await store.commit(events, START);
      expect(results.at(-1)).toMatchObject({ code: 'AUDIT_SEQUENCE_CONFLICT' });
      await store.reopen();
      expect((await store.commit([event(2_000, epoch)], START)).results[0]).toMatchObject({
        code: 'AUDIT_SEQUENCE_CONFLICT',
      });
    });
  });
}
