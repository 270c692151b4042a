import { parentPort, workerData } from 'node:worker_threads';
import { openLogForReading } from '../store/log-database.js';
import { openTileStore } from '../tree/tile-store.js';
import { TreePublisher } from '../tree/tree-publisher.js';
import { sqliteTreeSource } from '../tree/tree-source.js';
import { WitnessClient } from '../tree/witness-client.js';
import type { FollowerCommand, FollowerData, FollowerMessage } from './follower-messages.js';
import { openIndexForWriting } from './index-database.js';
import { Indexer } from './indexer.js';

/** Time that commits gather before they are indexed together, in milliseconds: one transaction for each would cost far more. */
const GATHER_MS = 40;
/** Time that the index leaves to a checkpoint between two pages, in milliseconds. */
const YIELD_MS = 20;

const { logPath, indexPath, tiles, logs, logKey, witnesses, checkpointIntervalMs } =
  workerData as FollowerData;
const port = parentPort!;
const tell = (message: FollowerMessage) => port.postMessage(message);

const log = openLogForReading(logPath);
const index = openIndexForWriting(indexPath);
const indexer = new Indexer(log, index);
const clientsOf = () =>
  witnesses.map(
    (address) =>
      new WitnessClient(address, (message) => tell({ kind: 'problem', message: `witness: ${message}` })),
  );
const publishers = logs.map(
  (own) =>
    new TreePublisher(own, sqliteTreeSource(log, own.origin), logKey, openTileStore(tiles, own), clientsOf()),
);

let indexing = false;
let closing = false;
let publishing = false;
let gathering: NodeJS.Timeout | undefined;

/** Indexes page by page, giving way to checkpoints in between. */
function follow(): void {
  clearTimeout(gathering);
  gathering = undefined;
  if (indexing) return;
  indexing = true;
  const step = (): void => {
    let added = 0;
    if (closing) return;
    try {
      added = indexer.advance();
    } catch (error) {
      tell({ kind: 'problem', message: `index: ${(error as Error).message}` });
    }
    if (added === 0) {
      indexing = false;
      return;
    }
    tell({ kind: 'indexed', position: indexer.position });
    // While a checkpoint is being made, it goes first: receipts wait for it.
    if (publishing) setTimeout(step, YIELD_MS);
    else setImmediate(step);
  };
  step();
}

async function publishAll(): Promise<void> {
  publishing = true;
  try {
    for (const publisher of publishers) {
      for (let head = await publisher.publish(); head; head = await publisher.publish()) {
        tell({ kind: 'checkpoint', log: publisher.log.id, size: head.size });
      }
    }
  } finally {
    publishing = false;
  }
}

/** All logs at once: a witness that does not answer holds up no other. */
async function cosignAll(): Promise<void> {
  await Promise.all(
    publishers.map(async (publisher) => {
      if (await publisher.cosign()) tell({ kind: 'cosigned', log: publisher.log.id });
    }),
  );
}

async function publishForEver(): Promise<void> {
  while (!closing) {
    const started = performance.now();
    try {
      await publishAll();
      await cosignAll();
    } catch (error) {
      tell({ kind: 'problem', message: `checkpoint: ${(error as Error).message}` });
    }
    const pause = Math.max(checkpointIntervalMs - (performance.now() - started), 10);
    await Promise.race([new Promise((resolve) => setTimeout(resolve, pause)), closed]);
  }
}

let close: () => void = () => undefined;
const closed = new Promise<void>((resolve) => (close = resolve));

port.on('message', (command: FollowerCommand) => {
  if (command === 'close') close();
  else if (command === 'now') follow();
  else gathering ??= setTimeout(follow, GATHER_MS);
});

// Read before the first promise is given: a store older than its checkpoint must stop the service, not fork the log.
const heads = await Promise.all(publishers.map((publisher) => publisher.head()));
tell({
  kind: 'ready',
  indexed: indexer.position,
  sizes: heads.map(({ size }, i) => ({ log: logs[i]!.id, size })),
});
follow();
const publishedForEver = publishForEver();
await closed;
closing = true;
clearTimeout(gathering);
await publishedForEver;
await publishAll()
  .then(cosignAll)
  .catch((error: unknown) => tell({ kind: 'problem', message: `checkpoint: ${String(error)}` }));
index.close();
log.close();
tell({ kind: 'closed' });
port.close();
