import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../clock.js';
import { VaultError } from '../errors.js';

const RETRY_MS = 5;

/**
 * A lock between processes that ends with the process that holds it, however it ends. Node has no flock();
 * SQLite's exclusive transaction on an empty database is an operating-system lock with the same properties,
 * and it excludes a second holder inside one process as well.
 * @throws VaultError VAULT_LOCKED when it is not free within `waitMs`
 */
export async function acquireFolderLock(lockFile: string, waitMs: number, clock: Clock): Promise<() => void> {
  closeSync(openSync(lockFile, 'a', 0o600));
  const deadline = clock.monotonic() + waitMs;
  for (;;) {
    const database = new DatabaseSync(lockFile, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
      return () => database.close();
    } catch (error) {
      database.close();
      // 5 SQLITE_BUSY, 6 SQLITE_LOCKED; anything else is a broken file system, not a neighbour.
      const code = (error as { errcode?: number }).errcode;
      if (code !== 5 && code !== 6) {
        throw new VaultError(
          'VAULT_CORRUPT',
          `lock file ${lockFile}: ${(error as Error).message}`,
          {},
          { cause: error },
        );
      }
    }
    if (clock.monotonic() >= deadline) {
      throw new VaultError('VAULT_LOCKED', `another process has been writing to this vault for ${waitMs} ms`);
    }
    await clock.sleep(RETRY_MS);
  }
}
