import type { OwnLog } from '../own-log.js';
import { postgresCheckpoints } from '../store/postgres/checkpoint-register.js';
import { PostgresDatabase } from '../store/postgres/database.js';
import { Lease } from '../store/postgres/lease.js';
import { logRows, postgresTreeSource } from '../store/postgres/tree-source.js';
import type { WritableStore } from '../store/store-settings.js';
import type { FollowedStore } from './followed-store.js';
import { PostgresIndexer } from './postgres-indexer.js';

const CONNECTIONS = 3;
const STATEMENT_TIMEOUT_MS = 30_000;

export async function followPostgres(
  { postgres, term }: Extract<WritableStore, { kind: 'postgres' }>,
  logs: readonly OwnLog[],
): Promise<FollowedStore> {
  const database = new PostgresDatabase(postgres, {
    name: 'siegel-audit-follower',
    connections: CONNECTIONS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    const rows = await logRows(database);
    return {
      indexer: await PostgresIndexer.open(database, term),
      trees: logs.map(({ origin }) => {
        const row = rows.get(origin)!;
        return {
          source: postgresTreeSource(database, row),
          register: postgresCheckpoints(database, row, term),
        };
      }),
      leads: () => new Lease(database).holds(term),
      close: () => database.close(),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
