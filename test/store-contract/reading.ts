import { leafHash } from '#transparency';
import { afterAll, describe, expect, it } from '@jest/globals';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { hasFields } from '../../apps/audit/src/index/field-values.js';
import { reasonText, wordsOf } from '../../apps/audit/src/index/reason-words.js';
import type { LoggedEvent, ScopedFilters } from '../../apps/audit/src/query/query-schema.js';
import { TestEmitter } from '../audit-deployment.js';
import type { MakeStore, StoreUnderTest } from '../stores-under-test.js';

const START = Date.UTC(2026, 0, 30, 12);
const DAY = 86_400_000;
const emitterKeys = generateKeyPairSync('ed25519');

/** What searching, counting and looking up must answer from every kind of store. */
export function readingContract(make: MakeStore): void {
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
      store = await make('month');
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
          mrsigner: (i % 2 === 0 ? 'ee' : 'ff').repeat(32),
          session: `session-${i % 50}`,
          simulated: i % 7 === 0,
          data: {
            protocol: i % 3 === 1 ? 'gramine' : 'native',
            boundKey: `key-${i % 20}`,
            evidence: { sha256: (i % 6 === 0 ? 'dd' : 'cc').repeat(32) },
            manifest: { version: i % 5 },
            conditions: [
              { name: 'mrenclave', ok: i % 4 === 0 },
              { name: 'tcb', ok: i % 2 === 0 },
            ],
          } as never,
        });
        const incoming = { tenant: i % 4 === 0 ? 'other' : 'default', emitter: 'key-release', seq, entry };
        // Sixty days of them: three months.
        await store.commit([{ ...incoming, epoch: emitter.epoch }], START + i * STEP);
      }
      await store.index();
      all = (await toTheEnd({})).events;
    };
    afterAll(() => store?.close());

    /** Oldest first. A page may be short: a search gives what it has after a while. */
    const toTheEnd = async (filters: ScopedFilters, after = 0) => {
      const events: LoggedEvent[] = [];
      for (;;) {
        const page = await store.reader.search({ filters, order: 'oldest', after, limit: 1_000 });
        events.push(...page.events);
        after = page.searchedTo;
        if (!page.more) return { events, searchedTo: after };
      }
    };

    const matches = (filters: ScopedFilters, { event: logged, loggedAt }: LoggedEvent): boolean =>
      (filters.tenant === undefined || logged['tenant'] === filters.tenant) &&
      (filters.workload === undefined || logged['workload'] === filters.workload) &&
      (filters.mrenclave === undefined || logged['mrenclave'] === filters.mrenclave) &&
      (filters.outcome === undefined || logged.outcome === filters.outcome) &&
      (filters.tcbStatus === undefined || logged['tcbStatus'] === filters.tcbStatus) &&
      (filters.reason === undefined ||
        (logged['reason'] as { code: string } | undefined)?.code === filters.reason) &&
      (filters.text === undefined ||
        wordsOf(filters.text).every((word) => wordsOf(reasonText(logged as never)).includes(word))) &&
      (filters.session === undefined || logged['session'] === filters.session) &&
      hasFields(logged, filters.fields ?? []) &&
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
        session: fc.constantFrom('session-3', 'session-39', 'none'),
        // Indexed by name, by digest, and not at all; lists, numbers, flags; values that nothing has.
        fields: fc.subarray(
          [
            { path: 'mrsigner', value: 'ee'.repeat(32) },
            { path: 'data.protocol', value: 'gramine' },
            { path: 'data.protocol', value: 'none' },
            { path: 'simulated', value: 'false' },
            { path: 'emitter.instance', value: 'test-1' },
            { path: 'data.boundKey', value: 'key-7' },
            { path: 'data.evidence.sha256', value: 'dd'.repeat(32) },
            { path: 'data.manifest.version', value: '4' },
            { path: 'data.conditions.ok', value: 'true' },
          ],
          { maxLength: 2 },
        ),
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
      expect(await toTheEnd({}, 100)).toMatchObject({ searchedTo: EVENTS });
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
      expect((await toTheEnd(filters)).events).toEqual(all.filter((each) => matches(filters, each)));
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
      expect((await toTheEnd(filters)).events).toEqual(
        all.filter(({ event: { tenant } }) => tenant === 'other'),
      );
      const cells = await store.reader.count({ filters, by: 'tenant', bucketMs: DAY });
      expect(new Set(cells.map(({ value }) => value))).toEqual(new Set(['other']));
      expect((await toTheEnd({ tenants: [] })).events).toEqual([]);
    });

    it('counts in steps as small as a millisecond', async () => {
      await filled();
      expect(await store.reader.count({ filters: {}, by: 'outcome', bucketMs: 1 })).toHaveLength(EVENTS);
    });
  });
}
