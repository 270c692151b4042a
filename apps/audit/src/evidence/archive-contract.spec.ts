import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { PostgresServer } from '../../../../test/postgres-server.js';
import { LOGS } from '../../../../test/stores-under-test.js';
import { FencedError } from '../store/fenced-error.js';
import { PostgresDatabase } from '../store/postgres/database.js';
import { Lease } from '../store/postgres/lease.js';
import { prepareSchema } from '../store/postgres/schema.js';
import type { ArchiveLimits, ArchiveReader, ArchiveWriter } from './archive.js';
import { EvidenceArchive } from './evidence-archive.js';
import { EvidenceCipher } from './evidence-cipher.js';
import { evidenceKeys } from './evidence-keys.js';
import { PostgresArchive } from './postgres-archive.js';

const server = await PostgresServer.start();
const folder = mkdtempSync(join(tmpdir(), 'siegel-archives-'));
const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
  await server?.close();
});

const [KEY, OTHER] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const LIMITS = { maxAgeMs: 1_000, maxBytes: 1_000_000 };
const COLLATERAL = 'ab'.repeat(32);
let now = 0;

/** One place of evidence, opened as often as one likes: by processes with these keys. */
interface Place {
  open(
    keys?: readonly Buffer[],
    limits?: ArchiveLimits,
  ): Promise<{ reader: ArchiveReader; writer: ArchiveWriter }>;
  /** Exchanges what is stored of two pieces, or spoils one. */
  tamper(of: string, as: string): Promise<void>;
}
const cipherOf = (keys: readonly Buffer[]) => new EvidenceCipher(evidenceKeys(keys));

/** The embedded archive as its thread answers. */
function embedded(): Place {
  const path = join(folder, `${randomBytes(8).toString('hex')}.db`);
  return {
    open: (keys = [KEY], limits = LIMITS) => {
      const archive = new EvidenceArchive(new DatabaseSync(path), cipherOf(keys), limits);
      closing.push(() => archive.close());
      const answer = <T>(work: () => T): Promise<T> => new Promise((resolve) => resolve(work()));
      const both: ArchiveReader & ArchiveWriter = {
        info: (sha256) => answer(() => archive.info(sha256, now)),
        read: (sha256) => answer(() => archive.read(sha256, now)),
        collateral: (id) => answer(() => archive.collateral(id)),
        erase: (sha256) => answer(() => archive.erase(sha256)),
        close: () => Promise.resolve(),
        mark: () => answer(() => archive.mark),
        commit: (evidence, mark) => answer(() => archive.commit(evidence, mark, now)),
        known: (digests) => answer(() => archive.known(digests, now)),
        putCollateral: (id, bundle) => answer(() => archive.putCollateral(id, bundle, now)),
        purge: () => answer(() => archive.purge(now)),
      };
      return Promise.resolve({ reader: both, writer: both });
    },
    tamper: (of, as) => {
      const database = new DatabaseSync(path);
      database
        .prepare(
          'UPDATE evidence SET sealed = (SELECT sealed FROM evidence WHERE sha256 = ?) WHERE sha256 = ?',
        )
        .run(Buffer.from(as, 'hex'), Buffer.from(of, 'hex'));
      database.close();
      return Promise.resolve();
    },
  };
}

const databaseOf = (url: string) =>
  new PostgresDatabase(
    { url, partition: 'month' },
    { name: 'test', connections: 2, statementTimeoutMs: 10_000 },
  );

async function postgres(): Promise<Place & { url: string; lead: () => Promise<number> }> {
  const url = await server!.database();
  const own = databaseOf(url);
  closing.push(() => own.close());
  await prepareSchema(own, LOGS);
  const lease = new Lease(own);
  let term = (await lease.claim(await lease.observe(), 'test'))!;
  return {
    url,
    lead: async () => (term = (await lease.claim(await lease.observe(), 'test'))!),
    open: async (keys = [KEY], limits = LIMITS) => {
      const reader = new PostgresArchive(databaseOf(url), cipherOf(keys), limits, () => now);
      closing.push(() => reader.close());
      return { reader, writer: await reader.claim(term) };
    },
    tamper: async (of, as) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(
        'UPDATE siegel_audit.evidence SET sealed = (SELECT sealed FROM siegel_audit.evidence WHERE sha256 = $1) WHERE sha256 = $2',
        [Buffer.from(as, 'hex'), Buffer.from(of, 'hex')],
      );
      await client.end();
    },
  };
}

const kept = (bytes: Buffer, collateral?: string) => ({ sha256: hash('sha256', bytes), bytes, collateral });
const code = (value: string) => expect.objectContaining({ code: value });
const kinds: [string, () => Place | Promise<Place>][] = [
  ['the embedded store', embedded],
  ...(server ? [['PostgreSQL', postgres] as [string, () => Promise<Place>]] : []),
];

describe.each(kinds)('evidence kept in %s', (_, make) => {
  let place: Place;
  beforeAll(async () => {
    place = await make();
    now = 1_000;
  });
  const fresh = async (...keys: Buffer[]) => {
    place = await make();
    now = 1_000;
    return place.open(keys.length === 0 ? [KEY] : keys);
  };

  it('is given back byte for byte by every process, with how far the log was looked through', async () => {
    const { writer } = await fresh();
    expect(await writer.mark()).toBeUndefined();
    const quote = kept(randomBytes(5_000), COLLATERAL);
    await writer.commit([quote], 42);
    now = 1_500;
    await writer.commit([quote], 43);
    const again = await place.open();
    expect(await again.writer.mark()).toBe(43);
    expect(await again.reader.read(quote.sha256)).toEqual(quote.bytes);
    expect(await again.reader.info(quote.sha256)).toEqual({
      sha256: quote.sha256,
      size: 5_000,
      stored: 1_000,
      readable: true,
      collateral: COLLATERAL,
      collateralHeld: false,
    });
    expect(await again.writer.known([quote.sha256, 'cd'.repeat(32)])).toEqual([quote.sha256]);
    expect(await again.writer.known([])).toEqual([]);
    expect(await again.reader.read('cd'.repeat(32))).toBeUndefined();
    expect(await again.reader.info('cd'.repeat(32))).toBeUndefined();
  });

  it('is much at once, empty or without collateral', async () => {
    const { reader, writer } = await fresh();
    const items = Array.from({ length: 200 }, () => kept(randomBytes(32_768)));
    await writer.commit([...items, kept(Buffer.alloc(0))], 7);
    await writer.commit([], 8);
    expect([await writer.mark(), (await writer.known(items.map(({ sha256 }) => sha256))).length]).toEqual([
      8, 200,
    ]);
    expect(await reader.read(items[199]!.sha256)).toEqual(items[199]!.bytes);
    expect(await reader.read(hash('sha256', ''))).toEqual(Buffer.alloc(0));
    expect((await reader.info(items[0]!.sha256))!.collateral).toBeUndefined();
  });

  it('is not given out past its time, removed or not', async () => {
    const { reader, writer } = await fresh();
    const quote = kept(randomBytes(100));
    await writer.commit([quote], 1);
    now += LIMITS.maxAgeMs;
    expect(await reader.read(quote.sha256)).toEqual(quote.bytes);
    now += 1;
    expect([await reader.read(quote.sha256), await reader.info(quote.sha256)]).toEqual([
      undefined,
      undefined,
    ]);
    expect(await writer.known([quote.sha256])).toEqual([]);
    // And is gone behind the next look, also for a process with a longer memory.
    expect(await writer.purge()).toEqual({ removed: 1, bytes: 0, unreadable: 0 });
    const patient = await place.open([KEY], { ...LIMITS, maxAgeMs: 1e12 });
    expect(await patient.reader.read(quote.sha256)).toBeUndefined();
  });

  it('leaves by age, then by size, the oldest first', async () => {
    const { writer } = await fresh();
    const items = Array.from({ length: 10 }, () => kept(randomBytes(1_000)));
    for (const [i, item] of items.entries()) {
      now = i * 100;
      await writer.commit([item], i);
    }
    now = 1_250;
    expect(await writer.purge()).toEqual({ removed: 3, bytes: 7_000, unreadable: 0 });
    const small = await place.open([KEY], { ...LIMITS, maxBytes: 4_500 });
    expect(await small.writer.purge()).toEqual({ removed: 3, bytes: 4_000, unreadable: 0 });
    const digests = items.map(({ sha256 }) => sha256);
    expect(new Set(await writer.known(digests))).toEqual(new Set(digests.slice(6)));
  });

  it('is erased alone, and keeps its collateral as long as there is any of it', async () => {
    const { reader, writer } = await fresh();
    const [one, two] = [kept(randomBytes(100), COLLATERAL), kept(randomBytes(100))];
    now = 0;
    await writer.commit([one, two], 1);
    await writer.putCollateral(COLLATERAL, '{"a":1}');
    await writer.putCollateral(COLLATERAL, '{"another":1}');
    await writer.putCollateral('cd'.repeat(32), '{"b":1}');
    now = 7_200_000;
    const patient = await place.open([KEY], { ...LIMITS, maxAgeMs: 1e12 });
    await patient.writer.purge();
    expect((await patient.reader.info(one.sha256))!.collateralHeld).toBe(true);
    expect([await reader.collateral(COLLATERAL), await reader.collateral('cd'.repeat(32))]).toEqual([
      '{"a":1}',
      undefined,
    ]);
    expect([await reader.erase(one.sha256), await reader.erase(one.sha256)]).toEqual([true, false]);
    expect(await patient.reader.read(one.sha256)).toBeUndefined();
    expect(await patient.reader.read(two.sha256)).toEqual(two.bytes);
  });

  it('stays readable over a change of keys, and only while the former key is at hand', async () => {
    const { writer } = await fresh();
    const [before, after] = [kept(randomBytes(100)), kept(randomBytes(100))];
    await writer.commit([before], 1);
    const both = await place.open([OTHER, KEY]);
    await both.writer.commit([after], 2);
    expect([await both.reader.read(before.sha256), await both.reader.read(after.sha256)]).toEqual([
      before.bytes,
      after.bytes,
    ]);
    const without = await place.open([OTHER]);
    expect(await without.reader.read(after.sha256)).toEqual(after.bytes);
    await expect(without.reader.read(before.sha256)).rejects.toEqual(code('EVIDENCE_KEY_UNKNOWN'));
    expect(await without.reader.info(before.sha256)).toMatchObject({ readable: false, size: 100 });
    expect((await without.writer.purge()).unreadable).toBe(1);
    // It counts as missing, and what comes again is kept under the key that there is.
    expect(await without.writer.known([before.sha256])).toEqual([]);
    await without.writer.commit([before], 3);
    expect(await without.reader.read(before.sha256)).toEqual(before.bytes);
    expect((await without.writer.purge()).unreadable).toBe(0);
  });

  it('is not given for other evidence', async () => {
    const { reader, writer } = await fresh();
    const [one, two] = [kept(randomBytes(100)), kept(randomBytes(100))];
    await writer.commit([one, two], 1);
    await place.tamper(two.sha256, one.sha256);
    expect(await reader.read(one.sha256)).toEqual(one.bytes);
    await expect(reader.read(two.sha256)).rejects.toEqual(code('EVIDENCE_DAMAGED'));
  });
});

(server ? describe : describe.skip)('several processes that keep evidence in PostgreSQL', () => {
  const quote = kept(randomBytes(300), COLLATERAL);

  it('write under their term alone: a former one keeps, marks and removes nothing', async () => {
    now = 1_000;
    const place = await postgres();
    const former = await place.open();
    await former.writer.commit([quote], 1);
    await place.lead();
    const next = await place.open();
    const late = kept(randomBytes(100));
    for (const write of [
      () => former.writer.commit([late], 9),
      () => former.writer.commit([], 9),
      () => former.writer.putCollateral(COLLATERAL, '{}'),
      () => former.writer.purge(),
      () => former.writer.mark(),
    ])
      await expect(write()).rejects.toBeInstanceOf(FencedError);
    expect([await next.writer.mark(), await next.reader.read(late.sha256)]).toEqual([1, undefined]);
    expect(await next.reader.collateral(COLLATERAL)).toBeUndefined();
    // Whoever gives out need not lead.
    expect(await former.reader.read(quote.sha256)).toEqual(quote.bytes);
    await next.writer.commit([late], 2);
    expect(await former.reader.read(late.sha256)).toEqual(late.bytes);
  });

  it('cannot begin for a term that is over, nor for one that is not theirs yet', async () => {
    const place = await postgres();
    const archive = new PostgresArchive(databaseOf(place.url), cipherOf([KEY]), LIMITS);
    closing.push(() => archive.close());
    const term = await place.lead();
    await archive.claim(term);
    await expect(archive.claim(term - 1)).rejects.toBeInstanceOf(FencedError);
    await expect(archive.claim(term + 1)).rejects.toBeInstanceOf(FencedError);
    // The same one may begin again, as behind a broken connection.
    await archive.claim(term);
  });

  it('make the tables together, and show the database none of the evidence', async () => {
    const place = await postgres();
    const opened = await Promise.all([place.open(), place.open(), place.open()]);
    const named = kept(Buffer.from('a quote that names a machine'.repeat(20)));
    await opened[2]!.writer.commit([named], 1);
    const client = new pg.Client({ connectionString: place.url });
    await client.connect();
    const { rows } = await client.query<{ sealed: Buffer }>('SELECT sealed FROM siegel_audit.evidence');
    await client.end();
    expect(rows).toHaveLength(1);
    expect(rows[0]!.sealed.includes('machine')).toBe(false);
  });

  it('say so where the database is out of reach', async () => {
    const nowhere = new PostgresArchive(
      databaseOf('postgresql://siegel@127.0.0.1:1/x'),
      cipherOf([KEY]),
      LIMITS,
    );
    closing.push(() => nowhere.close());
    await expect(nowhere.read(quote.sha256)).rejects.toEqual(code('AUDIT_STORE_UNAVAILABLE'));
  });
});
