import { ConfigurationError, readEnvironment, readTrustFile } from '#platform';
import { TransparencyError } from '#transparency';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { auditEnvironment } from '../audit-environment.js';
import { Indexer } from '../index/indexer.js';
import { openIndexForWriting, removeIndex } from '../index/index-database.js';
import { readAuditKeys } from '../keys.js';
import { openLogForReading, StoreError } from '../store/log-database.js';
import { storeOf, tilesOf } from '../store/configured-store.js';
import type { StoreSettings } from '../store/store-settings.js';
import { StateLock } from '../store/state-lock.js';
import type { PublishedLogs } from './fill-store.js';
import { rebuildPostgres } from './rebuild-postgres.js';
import { restoreStore } from './restore-store.js';

/**
 * Rebuilds what can be derived, with the service stopped and its configuration in the environment: the search index from the
 * store and, if the store itself is lost, the store from the tiles. Prints one JSON object.
 */
async function rebuild(): Promise<{ restored: number; indexed: number }> {
  const environment = readEnvironment(auditEnvironment);
  const folder = environment.SIEGEL_STATE_DIR;
  const { logs, logKey } = readAuditKeys(environment, readTrustFile(environment.SIEGEL_TRUST_FILE));
  const store = storeOf(environment);
  const published = { tiles: tilesOf(environment), logs, logKey };
  const lock = StateLock.acquire(join(folder, 'lock.db'));
  try {
    if (store.kind === 'postgres') return await rebuildPostgres(store.postgres, published);
    return await rebuildEmbedded(folder, store, published);
  } finally {
    lock.release();
  }
}

async function rebuildEmbedded(
  folder: string,
  { logPath, indexPath }: Extract<StoreSettings, { kind: 'sqlite' }>,
  published: PublishedLogs,
): Promise<{ restored: number; indexed: number }> {
  let restored = 0;
  if (!existsSync(logPath)) {
    restored = await restoreStore(logPath, published);
    // Positions may be others than before: everything is distributed again, and recognised by its index.
    rmSync(join(folder, 'distributed'), { force: true });
  }
  removeIndex(indexPath);
  const log = openLogForReading(logPath);
  const index = openIndexForWriting(indexPath);
  const indexer = new Indexer(log, index);
  let indexed = 0;
  for (let added = indexer.advance(); added > 0; added = indexer.advance()) indexed += added;
  index.close();
  log.close();
  return { restored, indexed };
}

try {
  process.stdout.write(`${JSON.stringify(await rebuild())}\n`);
} catch (error) {
  const known =
    error instanceof ConfigurationError || error instanceof StoreError || error instanceof TransparencyError;
  const message =
    error instanceof ConfigurationError
      ? error.problems.map(({ variable, message: what }) => `${variable} ${what}`).join('; ')
      : (error as Error).message;
  process.stdout.write(`${JSON.stringify({ failed: message })}\n`);
  if (!known) throw error;
  process.exitCode = 1;
}
