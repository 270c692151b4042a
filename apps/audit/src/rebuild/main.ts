import { ConfigurationError, readEnvironment, readTrustFile } from '#platform';
import { TransparencyError } from '#transparency';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { auditEnvironment } from '../audit-environment.js';
import { Indexer } from '../index/indexer.js';
import { openIndexForWriting, removeIndex } from '../index/index-database.js';
import { readAuditKeys } from '../keys.js';
import { openLogForReading, StoreError } from '../store/log-database.js';
import { StateLock } from '../store/state-lock.js';
import { restoreStore } from './restore-store.js';

/**
 * Rebuilds what can be derived, with the service stopped and its configuration in the environment: the search index from the
 * store and, if the store itself is lost, the store from the tiles. Prints one JSON object.
 */
async function rebuild(): Promise<{ restored: number; indexed: number }> {
  const environment = readEnvironment(auditEnvironment);
  const folder = environment.SIEGEL_STATE_DIR;
  const { logs, logKey } = readAuditKeys(environment, readTrustFile(environment.SIEGEL_TRUST_FILE));
  const lock = StateLock.acquire(join(folder, 'lock.db'));
  try {
    const store = join(folder, 'log.db');
    let restored = 0;
    if (!existsSync(store)) {
      restored = await restoreStore(store, { kind: 'folder', folder: join(folder, 'tree') }, logs, logKey);
      // Positions may be others than before: everything is distributed again, and recognised by its index.
      rmSync(join(folder, 'distributed'), { force: true });
    }
    removeIndex(join(folder, 'index.db'));
    const log = openLogForReading(store);
    const index = openIndexForWriting(join(folder, 'index.db'));
    const indexer = new Indexer(log, index);
    let indexed = 0;
    for (let added = indexer.advance(); added > 0; added = indexer.advance()) indexed += added;
    index.close();
    log.close();
    return { restored, indexed };
  } finally {
    lock.release();
  }
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
