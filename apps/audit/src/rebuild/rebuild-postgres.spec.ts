import type { EntryPromise } from '#transparency';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestEmitter } from '../../../../test/audit-deployment.js';
import { PostgresServer } from '../../../../test/postgres-server.js';
import { LOGS, postgresStore } from '../../../../test/stores-under-test.js';
import type { IncomingEvent } from '../sequencing/placer.js';
import { StoreError } from '../store/log-database.js';
import { type TileSettings, openTileStore } from '../tree/tile-store.js';
import { TreePublisher } from '../tree/tree-publisher.js';
import { rebuildPostgres } from './rebuild-postgres.js';

const { privateKey } = generateKeyPairSync('ed25519');
const server = await PostgresServer.start();
const EVENTS = 700;
const NOW = Date.now();

(server ? describe : describe.skip)('rebuilding the PostgreSQL store', () => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-rebuild-'));
  const tiles: TileSettings = { kind: 'folder', folder };
  const published = { tiles, logs: LOGS, logKey: privateKey };
  const emitter = new TestEmitter({ kid: 'k', ...generateKeyPairSync('ed25519') });
  const sent: IncomingEvent[] = [];
  const promises: EntryPromise[] = [];
  type Store = Awaited<ReturnType<typeof postgresStore>>;
  let original: Store;
  const publishAll = async (store: Store): Promise<void> => {
    for (const log of LOGS) {
      const tree = new TreePublisher(log, await store.source(log), privateKey, openTileStore(tiles, log));
      while (await tree.publish());
    }
  };
  const contents = async (store: Store) =>
    Promise.all(
      LOGS.map(async (log) => {
        const source = await store.source(log);
        return (await source.entries(0, await source.committed())).map((entry) => String(entry));
      }),
    );

  beforeAll(async () => {
    original = await postgresStore(await server!.database(), privateKey);
    for (let i = 0; i < EVENTS; i++) {
      const tenant = i % 5 === 0 ? 'other' : 'default';
      const { entry, seq } = emitter.event({ tenant });
      sent.push({ tenant, emitter: emitter.name, epoch: emitter.epoch, seq, entry });
    }
    for (let i = 0; i < EVENTS; i += 70) {
      const { results } = await original.commit(sent.slice(i, i + 70), NOW);
      for (const result of results)
        promises.push((JSON.parse((result as { reply: string }).reply) as { promise: EntryPromise }).promise);
    }
    await original.index();
    await publishAll(original);
  }, 60_000);
  afterAll(async () => {
    await original.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives an empty database the entries of the tiles, at their indexes, and the log goes on', async () => {
    const url = await server!.database();
    const { restored, indexed } = await rebuildPostgres({ url, partition: 'month' }, published);
    expect({ restored, indexed }).toEqual({ restored: EVENTS, indexed: EVENTS });
    const store = await postgresStore(url, privateKey);
    try {
      expect(await contents(store)).toEqual(await contents(original));
      const page = { filters: { tenant: 'other' }, order: 'oldest' as const, after: undefined, limit: 500 };
      const found = (await store.reader.search(page)).events;
      expect(found.map(({ index }) => index)).toEqual(Array.from({ length: EVENTS / 5 }, (_unused, i) => i));
      // A repetition is recognised, and the next event comes behind the others, in the tree that was published.
      const { entry, seq } = emitter.event();
      const next = { tenant: 'default', emitter: emitter.name, epoch: emitter.epoch, seq, entry };
      const { results } = await store.commit([sent[123]!, next], NOW + 1);
      const indexes = results.map(
        (result) =>
          (JSON.parse((result as { reply: string }).reply) as { promise: EntryPromise }).promise.index,
      );
      expect(indexes).toEqual([promises[123]!.index, (EVENTS * 4) / 5]);
      await publishAll(store);
    } finally {
      await store.close();
    }
  }, 60_000);

  it('makes the index anew, once nobody sequences the log', async () => {
    const url = await server!.database();
    const settings = { url, partition: 'month' as const };
    await rebuildPostgres(settings, published);
    const store = await postgresStore(url, privateKey);
    await store.database.pool.query('DELETE FROM events WHERE pos % 3 = 0');
    await expect(rebuildPostgres(settings, published)).rejects.toThrow(/test sequences the log/);
    await store.close();
    const again = await rebuildPostgres(settings, published).catch(async (error: unknown) => {
      // The server may not have noticed yet that the leader's connection is gone.
      expect(error).toBeInstanceOf(StoreError);
      await new Promise((resolve) => setTimeout(resolve, 500));
      return rebuildPostgres(settings, published);
    });
    expect(again.restored).toBe(0);
    expect(again.indexed).toBeGreaterThanOrEqual(EVENTS);
  }, 60_000);

  it('refuses tiles that are not those of the signed checkpoint, and leaves nothing behind', async () => {
    const path = join(folder, 'default/tile/entries/000');
    const bytes = readFileSync(path);
    const changed = Buffer.from(bytes);
    changed.write('Payments', changed.indexOf('payments'));
    writeFileSync(path, changed);
    const url = await server!.database();
    const settings = { url, partition: 'month' as const };
    await expect(rebuildPostgres(settings, published)).rejects.toThrow(/not those of the signed checkpoint/);
    writeFileSync(path, bytes);
    const { restored, indexed } = await rebuildPostgres(settings, published);
    expect(restored).toBe(indexed);
    expect(restored).toBeGreaterThan(EVENTS);
  }, 60_000);
});
