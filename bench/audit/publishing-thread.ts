import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { OwnLog } from '../../apps/audit/src/own-log.js';
import { openLogForReading } from '../../apps/audit/src/store/log-database.js';
import { WalCheckpointer } from '../../apps/audit/src/store/wal-checkpointer.js';
import { TreePublisher } from '../../apps/audit/src/tree/tree-publisher.js';
import { sqliteTreeSource } from '../../apps/audit/src/tree/tree-source.js';
import { BulkTileStorage } from './bulk-tile-storage.js';

export interface PublishingData {
  logPath: string;
  tiles: string;
  log: OwnLog;
  logKey: KeyObject;
  /** Entries after which the thread ends. */
  count: number;
}

const PAUSE_MS = 100;
/** Tiles are published of so many entries at once; fewer only at the end. */
const STEP = 256 * 64;

/** Publishes what is committed, as the service does, while more is being committed. */
const { logPath, tiles, log, logKey, count } = workerData as PublishingData;
const database = openLogForReading(logPath);
const checkpointer = new WalCheckpointer(logPath);
const source = sqliteTreeSource(database, log.origin);
const publisher = new TreePublisher(log, source, logKey, new BulkTileStorage(join(tiles, log.name)));
let { size } = await publisher.head();
while (size < count) {
  const committed = await source.committed();
  if (committed - size >= STEP || committed >= count) size = (await publisher.publish())?.size ?? size;
  else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
checkpointer.close();
database.close();
parentPort!.postMessage(size);
