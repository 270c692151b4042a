import { sql } from 'kysely';
import { PostgresIndexer } from '../index/postgres-indexer.js';
import { StoreError } from '../store/log-database.js';
import { CommitBuffer } from '../store/postgres/commit-buffer.js';
import { commitBuffered } from '../store/postgres/commit-statement.js';
import type { PostgresSettings } from '../store/postgres/connection.js';
import { PostgresDatabase } from '../store/postgres/database.js';
import { Lease } from '../store/postgres/lease.js';
import { ensurePartitions } from '../store/postgres/partitions.js';
import { storedPositions } from '../store/postgres/postgres-committer.js';
import { emptyIndex, prepareSchema } from '../store/postgres/schema.js';
import { fillStore, type PublishedLogs } from './fill-store.js';

const CONNECTIONS = 4;
const HOLDER = 'rebuild';

/**
 * The same for the PostgreSQL store: its search index anew and, if it has no entries, those of the tiles. It takes the
 * term for that time, so that no replica writes beside it; they go on by themselves afterwards.
 * @throws StoreError while a replica sequences the log
 */
export async function rebuildPostgres(
  postgres: PostgresSettings,
  published: PublishedLogs,
): Promise<{ restored: number; indexed: number }> {
  const settings = { name: 'siegel-audit-rebuild', connections: CONNECTIONS, statementTimeoutMs: 0 };
  const database = new PostgresDatabase(postgres, settings);
  try {
    await prepareSchema(database, published.logs);
    const lease = new Lease(database);
    const seen = await lease.observe();
    if (seen.holder !== '' && seen.connected !== false)
      throw new StoreError(`${seen.holder} sequences the log; stop all replicas first`);
    const term = await lease.claim(seen, HOLDER);
    if (term === undefined)
      throw new StoreError('a replica began to sequence the log; stop all of them first');
    try {
      const { head } = await database.query.selectFrom('sequencer').select('head').executeTakeFirstOrThrow();
      const restored = head === 0 ? await restore(database, postgres, published, term) : 0;
      return { restored, indexed: await index(database, term) };
    } finally {
      await lease.release(term);
    }
  } finally {
    await database.close();
  }
}

async function index(database: PostgresDatabase, term: number): Promise<number> {
  await emptyIndex(database);
  const indexer = await PostgresIndexer.open(database, term);
  let indexed = 0;
  for (let added = await indexer.advance(); added > 0; added = await indexer.advance()) indexed += added;
  await sql`ANALYZE events`.execute(database.query);
  return indexed;
}

/** All of it in one transaction: tiles that turn out not to be those of the checkpoint leave nothing behind. */
async function restore(
  database: PostgresDatabase,
  { partition }: PostgresSettings,
  published: PublishedLogs,
  term: number,
): Promise<number> {
  const buffer = new CommitBuffer(await storedPositions(database, term, published.logs));
  const client = await database.pool.connect();
  let head = 0;
  try {
    await client.query('BEGIN');
    const count = await fillStore(published, {
      entries: buffer,
      epochs: buffer,
      recall: async (emitter, epoch) => {
        const { rows } = await client.query<{ id: number; next_seq: number; missing: string }>(
          'SELECT id, next_seq, missing FROM epochs WHERE emitter = $1 AND epoch = $2',
          [emitter, epoch],
        );
        if (rows[0]) buffer.rememberEpoch(emitter, epoch, rows[0]);
      },
      flush: async (to, nextBatch, time) => {
        const writes = buffer.writes();
        if (writes.entries.length === 0) return;
        for (const each of new Set(writes.batches.map((batch) => batch.time)))
          await ensurePartitions(database.query, each, partition);
        await commitBuffered(client, { term, from: head, to, nextBatch, time }, writes);
        buffer.committed();
        head = to;
      },
    });
    await client.query('COMMIT');
    return count;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release(true);
  }
}
