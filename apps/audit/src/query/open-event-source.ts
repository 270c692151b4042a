import { openIndexForReading } from '../index/index-database.js';
import { openLogForReading } from '../store/log-database.js';
import type { StoreSettings } from '../store/store-settings.js';
import { EventReader } from './event-reader.js';
import type { EventSource } from './event-source.js';

const CONNECTIONS = 4;
const STATEMENT_TIMEOUT_MS = 15_000;

/** Opens a store for reading beside those who write it. */
export async function openEventSource(store: StoreSettings): Promise<EventSource> {
  if (store.kind === 'sqlite')
    return new EventReader(openLogForReading(store.logPath), openIndexForReading(store.indexPath));
  // Loaded only where it is needed.
  const [{ PostgresDatabase }, { PostgresEventReader }] = await Promise.all([
    import('../store/postgres/database.js'),
    import('./postgres-event-reader.js'),
  ]);
  return new PostgresEventReader(
    new PostgresDatabase(store.postgres, {
      name: 'siegel-audit-reader',
      connections: CONNECTIONS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    }),
  );
}
