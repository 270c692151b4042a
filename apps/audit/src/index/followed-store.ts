import type { OwnLog } from '../own-log.js';
import { openLogForReading } from '../store/log-database.js';
import type { WritableStore } from '../store/store-settings.js';
import { WalCheckpointer } from '../store/wal-checkpointer.js';
import type { CheckpointRegister } from '../tree/checkpoint-register.js';
import { type TreeSource, sqliteTreeSource } from '../tree/tree-source.js';
import { openIndexForWriting } from './index-database.js';
import { Indexer } from './indexer.js';

/** The committed log as the follower thread sees it, whatever store it is in. */
export interface FollowedStore {
  readonly indexer: { readonly position: number; advance(): number | Promise<number> };
  /** In the order of the logs. */
  readonly trees: readonly { source: TreeSource; register?: CheckpointRegister }[];
  /** Whether this process may still write. */
  leads(): Promise<boolean>;
  close(): Promise<void>;
}

export async function openFollowedStore(
  store: WritableStore,
  logs: readonly OwnLog[],
): Promise<FollowedStore> {
  if (store.kind === 'postgres') {
    // Loaded only where it is needed.
    const { followPostgres } = await import('./followed-postgres.js');
    return followPostgres(store, logs);
  }
  const log = openLogForReading(store.logPath);
  const index = openIndexForWriting(store.indexPath);
  const checkpointer = new WalCheckpointer(store.logPath);
  return {
    indexer: new Indexer(log, index),
    trees: logs.map(({ origin }) => ({ source: sqliteTreeSource(log, origin) })),
    leads: () => Promise.resolve(true),
    close: () => {
      checkpointer.close();
      index.close();
      log.close();
      return Promise.resolve();
    },
  };
}
