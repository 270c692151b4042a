import { type EntryPromise, leafHash, MemoryTree, PromiseVerifier } from '#transparency';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { TestEmitter } from '../../../../test/audit-deployment.js';
import { PostgresServer } from '../../../../test/postgres-server.js';
import {
  LOGS,
  ownEvents,
  postgresStore,
  sqliteStore,
  type StoreUnderTest,
} from '../../../../test/stores-under-test.js';
import { reasonText, wordsOf } from '../index/reason-words.js';
import type { EventFilters, LoggedEvent } from '../query/query-schema.js';
import type { IncomingEvent } from '../sequencing/placer.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const emitterKeys = generateKeyPairSync('ed25519');
const verifier = new PromiseVerifier(LOGS.map(({ origin, kid }) => ({ origin, kid, publicKey })));
const START = Date.UTC(2026, 0, 30, 12);
const DAY = 86_400_000;

const server = await PostgresServer.start();
const kinds: [string, () => Promise<StoreUnderTest>][] = [
  ['node:sqlite', () => sqliteStore(privateKey, 7)],
  ...(server
    ? [
        ['PostgreSQL', async () => postgresStore(await server.database(), privateKey)] as [
          string,
          () => Promise<StoreUnderTest>,
        ],
      ]
    : []),
];
afterAll(() => server?.close());

const opened: StoreUnderTest[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

const event = (seq: number, epoch = 'epoch', tenant = 'default', text = ''): IncomingEvent => ({
  tenant,
  emitter: 'key-release',
  epoch,
  seq,
  entry: Buffer.from(JSON.stringify({ epoch, seq, text })),
});
const promiseIn = (result: unknown): EntryPromise =>
  (JSON.parse((result as { reply: string }).reply) as { promise: EntryPromise }).promise;

describe.each(kinds)('the store in %s', (_, make) => {
  const open = async (): Promise<StoreUnderTest> => {
    const store = await make();
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

    it('stores each event once however commits, repetitions, restarts and days fall', async () => {
      const group = fc.array(
        fc.record({ seq: fc.integer({ min: 1, max: 12 }), epoch: fc.constantFrom('a', 'b') }),
        { maxLength: 8 },
      );
      const step = fc.record({ group, restart: fc.boolean(), days: fc.constantFrom(0, 0, 1, 40) });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          const store = await make();
          try {
            const promised = new Map<string, EntryPromise>();
            let now = START;
            let size = 0;
            for (const { group: wanted, restart, days } of steps) {
              if (restart) await store.reopen();
              now += days * DAY;
              const events = wanted.map(({ seq, epoch }) => event(seq, epoch));
              const { results } = await store.commit(events, now);
              for (const [i, result] of results.entries()) {
                const promise = promiseIn(result);
                verifier.verify(promise, events[i]!.entry);
                const key = `${events[i]!.epoch}/${events[i]!.seq}`;
                // A repetition gets exactly the promise that the first one got.
                expect(promised.get(key) ?? promise).toEqual(promise);
                promised.set(key, promise);
              }
              size = await (await store.source(LOGS[0]!)).committed();
            }
            const entries = await (await store.source(LOGS[0]!)).entries(0, size);
            expect(entries).toHaveLength(size);
            const texts = entries.map((entry) => Buffer.from(entry).toString());
            expect(texts.filter((text) => !text.includes('"kid":"own-key"'))).toHaveLength(promised.size);
            for (const { index, leafHash: leaf } of promised.values())
              expect(leafHash(entries[index]!).toString('hex')).toBe(leaf);
          } finally {
            await store.close();
          }
        }),
        { numRuns: 12 },
      );
    }, 60_000);

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

  describe('reading', () => {
    const EVENTS = 240;
    const workloads = ['payments', 'ledger', 'rare'];
    const reasons = ['RELEASE_DENIED', 'BINDING_MISMATCH'];
    const messages = [
      'Keine Prüfsumme passt.',
      'isvsvn 3 is below 5',
      'no match',
      `no "match" OR 'isvsvn*' & !x`,
    ];
    const measurements = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32));
    const STEP = 6 * 3_600_000;
    let store: StoreUnderTest;
    let all: LoggedEvent[];

    const filled = async (): Promise<void> => {
      if (all) return;
      store = await make();
      const emitter = new TestEmitter({ kid: 'k', ...emitterKeys });
      for (let i = 0; i < EVENTS; i++) {
        const denied = i % 3 === 0;
        const { entry, seq } = emitter.event({
          tenant: i % 4 === 0 ? 'other' : 'default',
          workload: workloads[i % 97 === 0 ? 2 : i % 2]!,
          mrenclave: measurements[i % 3]!,
          tcbStatus: i % 5 === 0 ? 'OutOfDate' : 'UpToDate',
          outcome: denied ? 'denied' : 'granted',
          reason: denied ? { code: reasons[i % 2]!, message: messages[i % 4]! } : (undefined as never),
        });
        const incoming = { tenant: i % 4 === 0 ? 'other' : 'default', emitter: 'key-release', seq, entry };
        // Sixty days of them: several partitions.
        await store.commit([{ ...incoming, epoch: emitter.epoch }], START + i * STEP);
      }
      await store.index();
      const page = { filters: {}, order: 'oldest' as const, after: undefined, limit: 1_000 };
      all = (await store.reader.search(page)).events;
    };
    afterAll(() => store?.close());

    const matches = (filters: EventFilters, { event: logged, loggedAt }: LoggedEvent): boolean =>
      (filters.tenant === undefined || logged['tenant'] === filters.tenant) &&
      (filters.workload === undefined || logged['workload'] === filters.workload) &&
      (filters.mrenclave === undefined || logged['mrenclave'] === filters.mrenclave) &&
      (filters.outcome === undefined || logged.outcome === filters.outcome) &&
      (filters.tcbStatus === undefined || logged['tcbStatus'] === filters.tcbStatus) &&
      (filters.reason === undefined ||
        (logged['reason'] as { code: string } | undefined)?.code === filters.reason) &&
      (filters.text === undefined ||
        wordsOf(filters.text).every((word) => wordsOf(reasonText(logged as never)).includes(word))) &&
      (filters.from === undefined || loggedAt >= filters.from) &&
      (filters.to === undefined || loggedAt < filters.to);
    const time = fc
      .integer({ min: -5, max: EVENTS + 5 })
      .map((i) => new Date(START + i * STEP).toISOString());
    const filtersOf = fc.record(
      {
        tenant: fc.constantFrom('default', 'other', 'nobody'),
        workload: fc.constantFrom(...workloads, 'never'),
        mrenclave: fc.constantFrom(...measurements),
        outcome: fc.constantFrom('denied' as const, 'granted' as const),
        tcbStatus: fc.constantFrom('OutOfDate', 'UpToDate'),
        reason: fc.constantFrom(...reasons),
        text: fc.constantFrom(
          'prufsumme',
          'ISVSVN below',
          'match',
          'denied',
          '"no" OR match',
          'mrenclave no',
          `' & !match`,
          'absent',
        ),
        from: time,
        to: time,
      },
      { requiredKeys: [] },
    );

    it('finds exactly what matches, in order, in pages of any size', async () => {
      await filled();
      expect(all.map(({ position }) => position)).toEqual(Array.from({ length: EVENTS }, (_, i) => i + 1));
      await fc.assert(
        fc.asyncProperty(
          filtersOf,
          fc.constantFrom('newest' as const, 'oldest' as const),
          fc.integer({ min: 1, max: 60 }),
          async (filters, order, limit) => {
            const expected = all.filter((logged) => matches(filters, logged)).map(({ position }) => position);
            if (order === 'newest') expected.reverse();
            const found: number[] = [];
            let after: number | undefined;
            for (;;) {
              const page = await store.reader.search({ filters, order, after, limit });
              expect(page.events.length).toBeLessThanOrEqual(limit);
              found.push(...page.events.map(({ position }) => position));
              if (!page.more) break;
              // A page that is not the last has something: an empty one means the end.
              expect(page.events.length).toBeGreaterThan(0);
              after = page.searchedTo;
            }
            expect(found).toEqual(expected);
          },
        ),
        { numRuns: 100 },
      );
    }, 60_000);

    it('goes on behind the end of an oldest-first search with what is logged later, and with nothing else', async () => {
      await filled();
      const first = await store.reader.search({ filters: {}, order: 'oldest', after: 100, limit: 500 });
      expect(first).toMatchObject({ more: false, searchedTo: EVENTS });
      const filters = { workload: 'never' };
      const none = await store.reader.search({ filters, order: 'oldest', after: undefined, limit: 5 });
      expect(none).toEqual({ events: [], more: false, searchedTo: EVENTS });
    });

    it('counts exactly what matches', async () => {
      await filled();
      const bucketMs = DAY;
      await fc.assert(
        fc.asyncProperty(
          filtersOf,
          fc.constantFrom('workload' as const, 'reason' as const, 'tenant' as const),
          async (filters, by) => {
            const cells = await store.reader.count({ filters, by, bucketMs });
            const expected = new Map<string, number>();
            for (const logged of all.filter((each) => matches(filters, each))) {
              const at = new Date(
                Math.floor(Date.parse(logged.loggedAt) / bucketMs) * bucketMs,
              ).toISOString();
              const value =
                by === 'reason' ? (logged.event['reason'] as { code: string })?.code : logged.event[by];
              const key = `${at} ${value ?? null}`;
              expected.set(key, (expected.get(key) ?? 0) + 1);
            }
            expect(new Map(cells.map(({ at, value, count }) => [`${at} ${value}`, count]))).toEqual(expected);
            const times = cells.map(({ at }) => at);
            expect([...times].sort()).toEqual(times);
          },
        ),
        { numRuns: 40 },
      );
    }, 60_000);

    it('finds one session, one id and one leaf, and nothing for others', async () => {
      await filled();
      const wanted = all[123]!;
      const filters = { session: wanted.event['session'] as string };
      const page = { filters, order: 'newest' as const, after: undefined, limit: 5 };
      expect((await store.reader.search(page)).events).toEqual([wanted]);
      expect(await store.reader.byId(wanted.event.id)).toEqual(wanted);
      expect(await store.reader.byId(randomUUID())).toBeUndefined();
      const { event: logged, kid, sig, log, index } = wanted;
      const leaf = leafHash(Buffer.from(canonicalize({ event: logged, kid, sig })!)).toString('hex');
      expect(await store.reader.byLeaf(leaf)).toEqual({ log, index });
      const other = leaf.slice(0, -1) + (leaf.endsWith('0') ? '1' : '0');
      expect(await store.reader.byLeaf(other)).toBeUndefined();
    });

    it('shows a caller the events of its tenants alone', async () => {
      await filled();
      const filters = { tenants: ['other'] };
      const page = { filters, order: 'oldest' as const, after: undefined, limit: 500 };
      expect((await store.reader.search(page)).events).toEqual(
        all.filter(({ event: { tenant } }) => tenant === 'other'),
      );
      const cells = await store.reader.count({ filters, by: 'tenant', bucketMs: DAY });
      expect(new Set(cells.map(({ value }) => value))).toEqual(new Set(['other']));
      expect((await store.reader.search({ ...page, filters: { tenants: [] } })).events).toEqual([]);
    });

    it('counts in steps as small as a millisecond', async () => {
      await filled();
      expect(await store.reader.count({ filters: {}, by: 'outcome', bucketMs: 1 })).toHaveLength(EVENTS);
    });
  });
});
