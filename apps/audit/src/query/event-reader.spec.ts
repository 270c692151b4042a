import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditEvent } from '#contracts';
import { leafHash } from '#transparency';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { TestEmitter } from '../../../../test/audit-deployment.js';
import { openIndexForReading, openIndexForWriting } from '../index/index-database.js';
import { hasFields } from '../index/field-values.js';
import { reasonText, wordsOf } from '../index/reason-words.js';
import { Indexer } from '../index/indexer.js';
import { Committer } from '../sequencing/committer.js';
import { OwnEmitter } from '../sequencing/own-events.js';
import { openLogForReading, openLogForWriting } from '../store/log-database.js';
import { EventReader } from './event-reader.js';
import type { LoggedEvent, ScopedFilters } from './query-schema.js';

const EVENTS = 400;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const folder = mkdtempSync(join(tmpdir(), 'siegel-reader-'));
const open: DatabaseSync[] = [];
let reader: EventReader;
let all: LoggedEvent[];

const workloads = ['payments', 'ledger', 'rare'];
const reasons = ['RELEASE_DENIED', 'BINDING_MISMATCH'];
const messages = ['Keine Prüfsumme passt.', 'isvsvn 3 is below 5', 'no match', 'no "match" OR isvsvn*'];
const measurements = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(32));

const signers = ['dd', 'ee'].map((byte) => byte.repeat(32));
const protocols = ['native', 'gramine', 'marblerun', 'occlum'];
const platforms = ['01', '02', '03', '04'].map((byte) => byte.repeat(32));

type AttestationData = Extract<AuditEvent, { type: 'attestation.denied' }>['data'] & {
  evidence: object;
  manifest: object;
};
/** What the usual event of a test says, to be varied. */
const sampleData = (emitter: TestEmitter): AttestationData => {
  const data = (
    JSON.parse(emitter.event({ seq: 0 }).entry.toString()) as { event: { data: AttestationData } }
  ).event.data;
  return data;
};

beforeAll(async () => {
  const writing = openLogForWriting(join(folder, 'log.db'));
  const logs = [{ id: 0, origin: 'siegel.test/default', kid: 'k', name: 'default' }];
  const own = new OwnEmitter('audit', 'own', 'test', privateKey);
  const committer = new Committer(writing, { logs, logKey: privateKey, own, gapGraceMs: 1_000 });
  const emitter = new TestEmitter({ kid: 'k', privateKey, publicKey });
  const base = sampleData(emitter);
  for (let i = 0; i < EVENTS; i++) {
    const denied = i % 3 === 0;
    const { entry, seq } = emitter.event({
      workload: workloads[i % 97 === 0 ? 2 : i % 2]!,
      mrenclave: measurements[i % 3]!,
      tcbStatus: i % 5 === 0 ? 'OutOfDate' : 'UpToDate',
      outcome: denied ? 'denied' : 'granted',
      mrsigner: signers[i % 2]!,
      session: `session-${i % 40}`,
      ...(i % 7 === 0 ? { simulated: false } : {}),
      data: {
        ...base,
        boundKey: `key-${i % 50}`,
        protocol: protocols[i % 4]!,
        manifest: { ...base.manifest, version: i % 11 },
        evidence: {
          ...base.evidence,
          platform: platforms[i % 4]!,
          advisoryIds: [`INTEL-SA-${i % 3}`, 'INTEL-SA-9'],
        },
      },
      ...(denied
        ? { reason: { code: reasons[i % 2]!, message: messages[i % 4]! } }
        : { reason: undefined as never }),
    });
    const { epoch } = emitter;
    committer.commit([{ tenant: 'default', emitter: 'key-release', epoch, seq, entry }], [], i * 1_000);
  }
  const log = openLogForReading(join(folder, 'log.db'));
  const indexing = openIndexForWriting(join(folder, 'index.db'));
  const indexer = new Indexer(log, indexing, 23);
  while (indexer.advance() > 0);
  const index = openIndexForReading(join(folder, 'index.db'));
  open.push(writing, log, indexing, index);
  reader = new EventReader(log, index);
  all = [];
  // A page may be short: a search gives what it has after a while.
  for (let [more, after] = [true, 0]; more;) {
    const page = await reader.search({ filters: {}, order: 'oldest', after, limit: 1_000 });
    all.push(...page.events);
    ({ more, searchedTo: after } = page);
  }
});
afterAll(() => {
  for (const database of open) database.close();
  rmSync(folder, { recursive: true, force: true });
});

const matches = (filters: ScopedFilters, { event, loggedAt }: LoggedEvent): boolean =>
  (filters.workload === undefined || event['workload'] === filters.workload) &&
  (filters.mrenclave === undefined || event['mrenclave'] === filters.mrenclave) &&
  (filters.outcome === undefined || event.outcome === filters.outcome) &&
  (filters.tcbStatus === undefined || event['tcbStatus'] === filters.tcbStatus) &&
  (filters.session === undefined || event['session'] === filters.session) &&
  (filters.reason === undefined ||
    (event['reason'] as { code: string } | undefined)?.code === filters.reason) &&
  (filters.text === undefined ||
    wordsOf(filters.text).every((word) => wordsOf(reasonText(event as never)).includes(word))) &&
  hasFields(event, filters.fields ?? []) &&
  (filters.from === undefined || loggedAt >= filters.from) &&
  (filters.to === undefined || loggedAt < filters.to);

const time = fc
  .integer({ min: -5, max: EVENTS + 5 })
  .map((i) => new Date(Math.max(i, 0) * 1_000).toISOString());
const filtersOf = fc.record(
  {
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
      'absent',
    ),
    from: time,
    to: time,
    session: fc.constantFrom('session-3', 'session-39', 'none'),
    // Indexed by kinds of their own, as any other field, by digest; lists, numbers, flags; values that nothing has.
    fields: fc.subarray(
      [
        { path: 'mrsigner', value: signers[0]! },
        { path: 'data.protocol', value: 'gramine' },
        { path: 'data.protocol', value: 'none' },
        { path: 'simulated', value: 'false' },
        { path: 'data.boundKey', value: 'key-7' },
        { path: 'data.evidence.platform', value: platforms[3]! },
        { path: 'data.evidence.advisoryIds', value: 'INTEL-SA-1' },
        { path: 'data.manifest.version', value: '4' },
        { path: 'data.conditions.ok', value: 'true' },
        { path: 'data.grants.objectName', value: 'db' },
        { path: 'emitter.seq', value: '17' },
      ],
      { maxLength: 2 },
    ),
  },
  { requiredKeys: [] },
);

describe('searching', () => {
  it('has the whole log', () => {
    expect(all).toHaveLength(EVENTS);
    expect(all.map(({ position }) => position)).toEqual(Array.from({ length: EVENTS }, (_, i) => i + 1));
  });

  it('finds exactly what matches, in order, in pages of any size and by any index', async () => {
    await fc.assert(
      fc.asyncProperty(
        filtersOf,
        fc.constantFrom('newest' as const, 'oldest' as const),
        fc.integer({ min: 1, max: 60 }),
        async (filters, order, limit) => {
          const expected = all.filter((event) => matches(filters, event)).map(({ position }) => position);
          if (order === 'newest') expected.reverse();
          const found: number[] = [];
          let after: number | undefined;
          for (;;) {
            const page = await reader.search({ filters, order, after, limit });
            expect(page.events.length).toBeLessThanOrEqual(limit);
            found.push(...page.events.map(({ position }) => position));
            if (!page.more) break;
            // A search that found nothing for a while says how far it came: it never stands still.
            expect(page.searchedTo).not.toBe(after);
            after = page.searchedTo;
          }
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('counts exactly what matches', async () => {
    await fc.assert(
      fc.asyncProperty(
        filtersOf,
        fc.constantFrom('workload' as const, 'reason' as const),
        async (filters, by) => {
          const cells = await reader.count({ filters, by, bucketMs: 60_000 });
          const expected = new Map<string, number>();
          for (const logged of all.filter((event) => matches(filters, event))) {
            const at = new Date(Math.floor(Date.parse(logged.loggedAt) / 60_000) * 60_000).toISOString();
            const value =
              by === 'workload'
                ? logged.event['workload']
                : (logged.event['reason'] as { code: string })?.code;
            const key = `${at} ${value ?? null}`;
            expected.set(key, (expected.get(key) ?? 0) + 1);
          }
          expect(new Map(cells.map(({ at, value, count }) => [`${at} ${value}`, count]))).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('looks further where the candidates of an index are mostly no matches', async () => {
    const fields = [{ path: 'data.manifest.version', value: '10' }];
    const filters = { outcome: 'granted' as const, fields };
    const expected = all.filter((event) => matches(filters, event));
    expect(expected.length).toBeGreaterThan(10);
    for (const order of ['newest', 'oldest'] as const) {
      const found = new Set<LoggedEvent>();
      // A page may be short: a search gives what it has after a while.
      let after: number | undefined;
      for (let more = true; more;) {
        const page = await reader.search({ filters, order, after, limit: 1_000 });
        for (const event of page.events) found.add(event);
        ({ more, searchedTo: after } = page);
      }
      expect(found).toEqual(new Set(expected));
    }
  });

  it('finds one session and one id', async () => {
    const wanted = all[123]!;
    const filters = { session: wanted.event['session'] as string };
    expect((await reader.search({ filters, order: 'newest', after: undefined, limit: 50 })).events).toEqual(
      all.filter((event) => matches(filters, event)).reverse(),
    );
    expect(reader.byId(wanted.event.id)).toEqual(wanted);
  });

  it('finds an entry by its leaf hash', () => {
    const { event, kid, sig, log, index } = all[123]!;
    const leaf = leafHash(Buffer.from(canonicalize({ event, kid, sig })!)).toString('hex');
    expect(reader.byLeaf(leaf)).toEqual({ log, index });
    expect(reader.byLeaf(leaf.slice(0, -1) + (leaf.endsWith('0') ? '1' : '0'))).toBeUndefined();
  });
});
