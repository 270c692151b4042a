import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ed25519Verifier, openCheckpoint } from '#transparency';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { PostgresServer } from '../../../../../test/postgres-server.js';
import { LOGS, ownEvents, takeOver } from '../../../../../test/stores-under-test.js';
import { PostgresIndexer } from '../../index/postgres-indexer.js';
import { PostgresEventReader } from '../../query/postgres-event-reader.js';
import type { IncomingEvent } from '../../sequencing/placer.js';
import { FileTileStorage } from '../../tree/file-tile-storage.js';
import { TreePublisher } from '../../tree/tree-publisher.js';
import { FencedError } from '../fenced-error.js';
import { StoreError } from '../log-database.js';
import { postgresCheckpoints } from './checkpoint-register.js';
import { PostgresDatabase, sqlState } from './database.js';
import { Lease } from './lease.js';
import type { PostgresCommitter } from './postgres-committer.js';
import { prepareSchema } from './schema.js';
import { logRows, postgresTreeSource } from './tree-source.js';

const { privateKey } = generateKeyPairSync('ed25519');
const [log] = LOGS;
const NOW = Date.UTC(2026, 5, 1);
const server = await PostgresServer.start();
afterAll(() => server?.close());

const event = (seq: number, text = ''): IncomingEvent => ({
  tenant: 'default',
  emitter: 'key-release',
  epoch: 'epoch',
  seq,
  entry: Buffer.from(JSON.stringify({ seq, text })),
});

(server ? describe : describe.skip)('the term of the one who sequences', () => {
  let url: string;
  let database: PostgresDatabase;
  let folder: string;
  const open: { close(): unknown }[] = [];

  beforeEach(async () => {
    url = await server!.database();
    const settings = { name: 'test', connections: 6, statementTimeoutMs: 5_000 };
    database = new PostgresDatabase({ url, partition: 'month' }, settings);
    open.push(database);
    await prepareSchema(database, LOGS);
    folder = mkdtempSync(join(tmpdir(), 'siegel-fence-'));
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const leader = async (): Promise<{ committer: PostgresCommitter; term: number }> => {
    const next = await takeOver(database, privateKey, 'month');
    open.push(next.committer);
    return next;
  };
  const entries = async (): Promise<string[]> => {
    const rows = await database.query.selectFrom('entries').select('entry').orderBy('pos').execute();
    return rows.map(({ entry }) => entry.toString('utf8'));
  };
  const publisher = async (term: number): Promise<TreePublisher> => {
    const row = (await logRows(database)).get(log!.origin)!;
    const tiles = new FileTileStorage(folder);
    await tiles.claim(term);
    const register = postgresCheckpoints(database, row, term);
    return new TreePublisher(log!, postgresTreeSource(database, row), privateKey, tiles, [], register);
  };
  const published = () => {
    const verifier = ed25519Verifier(log!.origin, createPublicKey(privateKey));
    return openCheckpoint(readFileSync(join(folder, 'checkpoint')), log!.origin, verifier);
  };

  it('finds its tables made once, by however many replicas start at the same time', async () => {
    const fresh = await server!.database();
    const databases = Array.from(
      { length: 4 },
      (_, i) =>
        new PostgresDatabase(
          { url: fresh, partition: 'month' },
          { name: `test ${i}`, connections: 1, statementTimeoutMs: 10_000 },
        ),
    );
    open.push(...databases);
    await Promise.all(databases.map((each) => prepareSchema(each, LOGS)));
    await prepareSchema(databases[0]!, [...LOGS, { origin: 'siegel.test/third' }]);
    expect([...(await logRows(databases[1]!)).values()].sort()).toEqual([1, 2, 3]);
  });

  it('is begun by one of those who claim it at the same time', async () => {
    const lease = new Lease(database);
    const seen = await lease.observe();
    expect(seen).toMatchObject({ term: 0, holder: '' });
    const terms = await Promise.all(['a', 'b', 'c', 'd'].map((holder) => lease.claim(seen, holder)));
    expect(terms.filter((term) => term !== undefined)).toEqual([1]);
    expect(await lease.claim(seen, 'late')).toBeUndefined();
    expect([await lease.holds(1), await lease.holds(0), await lease.holds(2)]).toEqual([true, false, false]);
  });

  it('is not begun over a leader that showed itself meanwhile', async () => {
    const { committer } = await leader();
    const lease = new Lease(database);
    const seen = await lease.observe();
    expect(seen.connected).toBe(true);
    await committer.beat();
    expect(await lease.claim(seen, 'hasty')).toBeUndefined();
    await committer.commit([event(1)], [], NOW);
  });

  it('is seen to be vacant at once when the connection of its holder is gone', async () => {
    const { committer } = await leader();
    const lease = new Lease(database);
    committer.close();
    for (let tries = 0; (await lease.observe()).connected !== false; tries++) {
      expect(tries).toBeLessThan(200);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  it('lets a former holder commit nothing: not an event, not a repetition, not a beat', async () => {
    const former = await leader();
    await former.committer.commit([event(1)], [], NOW);
    const next = await leader();
    expect(next.term).toBe(former.term + 1);
    const before = await entries();
    await expect(former.committer.commit([event(2)], [], NOW)).rejects.toThrow(FencedError);
    await expect(former.committer.commit([event(1)], [], NOW)).rejects.toThrow(FencedError);
    await expect(former.committer.commit([], [], NOW)).rejects.toThrow(FencedError);
    await expect(former.committer.beat()).rejects.toThrow(FencedError);
    expect(await entries()).toEqual(before);
    const { results } = await next.committer.commit([event(2), event(1)], [], NOW);
    expect(results.map((result) => 'reply' in result)).toEqual([true, true]);
    // The repetition is recorded, as that of any emitter.
    expect((await entries()).slice(0, 2)).toEqual([event(1), event(2)].map(({ entry }) => String(entry)));
  });

  it('decides between a commit and a claim at the same time: the commit is seen, or refused', async () => {
    let current = await leader();
    let seq = 0;
    const promised: string[] = [];
    for (let round = 0; round < 8; round++) {
      const { committer } = current;
      const attempts = (async () => {
        for (;;) {
          const next = event(++seq);
          try {
            const { results } = await committer.commit([next], [], NOW);
            if ('reply' in results[0]!) promised.push(String(next.entry));
          } catch (error) {
            expect(error).toBeInstanceOf(FencedError);
            seq--;
            return;
          }
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 3 * round));
      current = await leader();
      await attempts;
      committer.close();
    }
    const stored = (await entries()).filter((text) => !text.includes('"kid":"own-key"'));
    expect(stored).toEqual(promised);
    expect(new Set(stored).size).toBe(stored.length);
    expect(promised.length).toBeGreaterThan(5);
  }, 30_000);

  it('is taken from a holder that is stuck in a transaction, by ending its connection', async () => {
    const { committer, term } = await leader();
    await committer.commit([event(1)], [], NOW);
    // As a process that was paused while it sent a commit: it holds the row and says no more.
    const stuck = new pg.Client({ connectionString: url, options: '-c search_path=siegel_audit' });
    stuck.on('error', () => undefined);
    await stuck.connect();
    await stuck.query('BEGIN');
    await stuck.query('UPDATE sequencer SET backend = pg_backend_pid(), beat = beat WHERE term = $1', [term]);
    await stuck.query('COMMIT');
    await stuck.query('BEGIN');
    await stuck.query('UPDATE sequencer SET head = head + 1 WHERE term = $1', [term]);
    const lease = new Lease(database);
    const seen = await lease.observe();
    const refusal = await lease.claim(seen, 'next', 200).then(
      () => undefined,
      (error: unknown) => sqlState(error),
    );
    expect(refusal).toBe('55P03');
    await lease.evict();
    expect(await lease.claim(seen, 'next', 2_000)).toBe(term + 1);
    await expect(stuck.query('COMMIT')).rejects.toThrow();
    const { head } = await database.query.selectFrom('sequencer').select('head').executeTakeFirstOrThrow();
    expect(head).toBe(1);
    await stuck.end().catch(() => undefined);
  });

  it('lets a former holder publish nothing, nor index anything', async () => {
    const former = await leader();
    await former.committer.commit([event(1), event(2)], [], NOW);
    const old = await publisher(former.term);
    const indexer = await PostgresIndexer.open(database, former.term);
    expect(await old.publish()).toMatchObject({ size: 2 });
    const next = await leader();
    const fresh = await publisher(next.term);
    await next.committer.commit([event(3)], [], NOW);
    // It sees the new entries and could make a valid tree of them.
    await expect(old.publish()).rejects.toThrow(FencedError);
    await expect(indexer.advance()).rejects.toThrow();
    expect(published().size).toBe(2);
    expect(await fresh.publish()).toMatchObject({ size: 3 });
    expect(published().size).toBe(3);
  });

  it('refuses the checkpoint of a former holder in the register, also where its tiles are not fenced', async () => {
    const former = await leader();
    await former.committer.commit([event(1)], [], NOW);
    const row = (await logRows(database)).get(log!.origin)!;
    const tree = postgresTreeSource(database, row);
    const unfenced = (term: number, paused = false) => {
      const register = postgresCheckpoints(database, row, term);
      // Paused behind the question whether it leads.
      const asked = { ...register, ...(paused ? { require: () => Promise.resolve() } : {}) };
      return new TreePublisher(log!, tree, privateKey, new FileTileStorage(folder), [], asked);
    };
    const [old, paused] = [unfenced(former.term), unfenced(former.term, true)];
    await old.publish();
    await paused.head();
    const next = await leader();
    await next.committer.commit([event(2)], [], NOW);
    // It begins nothing; and where it had begun already, what it wrote is in no checkpoint.
    const tile = join(folder, 'tile/0/000.p/2');
    await expect(old.publish()).rejects.toThrow(FencedError);
    expect(existsSync(tile)).toBe(false);
    await expect(paused.publish()).rejects.toThrow(FencedError);
    expect(existsSync(tile)).toBe(true);
    expect(published().size).toBe(1);
    await unfenced(next.term).publish();
    expect(published().size).toBe(2);
    // And it cannot be set back.
    const register = postgresCheckpoints(database, row, next.term);
    const { root } = published();
    await expect(register.advance(1, { size: 1, root }, 'note')).rejects.toThrow(FencedError);
  });

  it('publishes what was signed and not yet public, and refuses tiles of another log', async () => {
    const first = await leader();
    await first.committer.commit([event(1)], [], NOW);
    const one = await publisher(first.term);
    await one.publish();
    await first.committer.commit([event(2)], [], NOW);
    const before = readFileSync(join(folder, 'checkpoint'));
    await one.publish();
    // A crash between the compare-and-swap and the publication leaves the former checkpoint.
    const second = await leader();
    const tiles = new FileTileStorage(folder);
    await tiles.write('checkpoint', before);
    const two = await publisher(second.term);
    expect(await two.head()).toMatchObject({ size: 2 });
    expect(published().size).toBe(2);
    rmSync(folder, { recursive: true });
    const third = await leader();
    const three = await publisher(third.term);
    await expect(three.head()).rejects.toThrow(/all replicas need the same folder/);
    await expect(three.head()).rejects.toBeInstanceOf(StoreError);
  });

  it('refuses a database that was set back behind its checkpoint', async () => {
    const first = await leader();
    await first.committer.commit([event(1), event(2)], [], NOW);
    await (await publisher(first.term)).publish();
    await database.query.updateTable('logs').set({ size: 1 }).execute();
    await database.query.deleteFrom('checkpoints').execute();
    const second = await leader();
    await expect((await publisher(second.term)).head()).rejects.toThrow(/would fork the log/);
  });

  it('is as before when the server refuses a commit, and goes on', async () => {
    const { committer } = await leader();
    await committer.commit([event(1)], [], NOW);
    await database.pool.query(
      'ALTER TABLE entries ADD CONSTRAINT no_room CHECK (octet_length(entry) < 200) NOT VALID',
    );
    const refused = committer.commit([event(2, 'x'.repeat(300))], [], NOW);
    await expect(refused.catch((error: unknown) => sqlState(error))).resolves.toBe('23514');
    expect(committer.head).toBe(1);
    await database.pool.query('ALTER TABLE entries DROP CONSTRAINT no_room');
    const { results } = await committer.commit([event(2, 'x'.repeat(300))], [], NOW);
    expect('reply' in results[0]!).toBe(true);
    const store = { reader: new PostgresEventReader(database) } as never;
    expect(await ownEvents(store)).toEqual([]);
  });

  it('survives the loss of connections in use and not in use', async () => {
    const { committer } = await leader();
    await committer.commit([event(1)], [], NOW);
    const busy = database.pool.query('SELECT pg_sleep(10)');
    const ended = Promise.all([
      expect(busy).rejects.toThrow(),
      database.pool
        .query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
        )
        .then(() => undefined),
    ]);
    await ended;
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Nobody knows of a commit without an answer, and an ended connection gives none.
    const lost = await committer.commit([event(2)], [], NOW).catch((error: unknown) => error);
    expect(lost).toBeInstanceOf(Error);
    expect(sqlState(lost)).toBeUndefined();
    const next = await leader();
    const { results } = await next.committer.commit([event(1), event(2)], [], NOW);
    expect(results.map((result) => 'reply' in result)).toEqual([true, true]);
  });

  it('refuses a server that does not keep what it acknowledged, and a store of a newer version', async () => {
    await database.query.updateTable('format').set({ version: 2 }).execute();
    await expect(prepareSchema(database, LOGS)).rejects.toThrow(/has format 2/);
    await database.query.updateTable('format').set({ version: 1 }).execute();
    await prepareSchema(database, LOGS);
    await database.pool.query('ALTER SYSTEM SET fsync = off');
    await database.pool.query('SELECT pg_reload_conf()');
    try {
      await expect(
        (async () => {
          for (let tries = 0; tries < 50; tries++) {
            await prepareSchema(database, LOGS);
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        })(),
      ).rejects.toThrow(/without fsync/);
    } finally {
      await database.pool.query('ALTER SYSTEM RESET fsync');
      await database.pool.query('SELECT pg_reload_conf()');
    }
  });
});
