import { existsSync, renameSync, rmSync } from 'node:fs';
import { EntryTable } from '../sequencing/entry-table.js';
import { EpochTable } from '../sequencing/epoch-table.js';
import { openLogForWriting, StoreError } from '../store/log-database.js';
import { fillStore, type PublishedLogs } from './fill-store.js';

/**
 * Makes a lost store anew from the published tiles: the same entries at the same indexes, so that the same tree goes on.
 * Promises are signed again, as the commits that they spoke of are not published. What was committed after the last
 * checkpoint is not in the tiles and is lost with the store.
 * @returns the number of entries
 * @throws StoreError if there is a store, or the tiles are not those of the checkpoint; nothing is left behind then
 */
export async function restoreStore(path: string, published: PublishedLogs): Promise<number> {
  if (existsSync(path)) throw new StoreError('there is a store; it is newer than its tiles');
  const draft = `${path}.restoring`;
  const remove = (): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${draft}${suffix}`, { force: true });
  };
  remove();
  try {
    const count = await fill(draft, published);
    renameSync(draft, path);
    return count;
  } catch (error) {
    remove();
    throw error;
  }
}

async function fill(draft: string, published: PublishedLogs): Promise<number> {
  const database = openLogForWriting(draft);
  try {
    database.exec('BEGIN');
    const count = await fillStore(published, {
      entries: new EntryTable(database, published.logs),
      epochs: new EpochTable(database),
      recall: () => Promise.resolve(),
      flush: () => Promise.resolve(),
    });
    database.exec('COMMIT');
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return count;
  } finally {
    database.close();
  }
}
