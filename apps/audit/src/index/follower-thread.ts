import { parentPort, workerData } from 'node:worker_threads';
import { FencedError } from '../store/fenced-error.js';
import { yieldToRequests } from '../threads/background-priority.js';
import { openTileStore } from '../tree/tile-store.js';
import { MAX_STEP, TreePublisher } from '../tree/tree-publisher.js';
import { WitnessClient } from '../tree/witness-client.js';
import { openFollowedStore } from './followed-store.js';
import type { FollowerCommand, FollowerData, FollowerMessage } from './follower-messages.js';

yieldToRequests();

/** Time that commits gather before they are indexed together, in milliseconds: one transaction for each would cost far more. */
const GATHER_MS = 40;
/** A page with fewer events than this is the newest: what comes next is gathered first. */
const FEW = 256;
/** Time that the index leaves to a checkpoint between two pages, in milliseconds. */
const YIELD_MS = 20;

const { store, tiles, logs, logKeys, successions, witnesses, checkpointIntervalMs } =
  workerData as FollowerData;
const port = parentPort!;
const tell = (message: FollowerMessage) => port.postMessage(message);

const followed = await openFollowedStore(store, logs);
const clientsOf = (notes: readonly string[]) =>
  witnesses.map(
    (address) =>
      new WitnessClient(
        address,
        (message) => tell({ kind: 'problem', message: `witness: ${message}` }),
        notes,
      ),
  );
const stores = logs.map((own) => openTileStore(tiles, own));
const publishers = logs.map((own, i) => {
  const { source, register } = followed.trees[i]!;
  return new TreePublisher(own, source, logKeys, stores[i]!, clientsOf(successions[i] ?? []), register);
});

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
  const step = async (): Promise<void> => {
    let added = 0;
    if (closing) return;
    try {
      added = await followed.indexer.advance();
    } catch (error) {
      if (stopIfFenced(error)) return;
      tell({ kind: 'problem', message: `index: ${(error as Error).message}` });
    }
    if (added === 0) {
      indexing = false;
      return;
    }
    tell({ kind: 'indexed', position: followed.indexer.position });
    // Under load something has always come meanwhile; without a pause every few events would be a transaction.
    if (added < FEW) {
      indexing = false;
      if (!closing) gathering ??= setTimeout(follow, GATHER_MS);
      return;
    }
    // While a checkpoint is being made, it goes first: receipts wait for it.
    if (publishing) setTimeout(() => void step(), YIELD_MS);
    else setImmediate(() => void step());
  };
  void step();
}

/** Another process leads: this thread says so once and ends. */
function stopIfFenced(error: unknown): boolean {
  if (!(error instanceof FencedError)) return false;
  if (!closing) tell({ kind: 'fenced', message: error.message });
  closing = true;
  close();
  return true;
}

async function publishAll(): Promise<void> {
  publishing = true;
  try {
    for (const publisher of publishers) {
      let { size } = await publisher.head();
      for (let behind = true; behind;) {
        const head = await publisher.publish();
        if (!head) break;
        tell({ kind: 'checkpoint', log: publisher.log.id, size: head.size });
        // What came meanwhile is for the next interval: under load there is always something.
        behind = head.size - size >= MAX_STEP;
        size = head.size;
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
      if (stopIfFenced(error)) return;
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

/** Before the first promise is given: a store older than its checkpoint must stop the service, not fork the log. */
async function begin(): Promise<void> {
  if (store.kind === 'postgres') {
    for (const tileStore of stores) await tileStore.claim(store.term);
    // A claim that was paused may have come after a later one: asked after it, the register of terms tells.
    if (!(await followed.leads())) throw new FencedError('another process leads');
  }
  const heads = await Promise.all(publishers.map((publisher) => publisher.head()));
  tell({
    kind: 'ready',
    indexed: followed.indexer.position,
    sizes: heads.map(({ size }, i) => ({ log: logs[i]!.id, size })),
  });
}

async function run(): Promise<void> {
  try {
    await begin();
  } catch (error) {
    const { name, message } = error as Error;
    return stopIfFenced(error) ? undefined : tell({ kind: 'hopeless', name, message });
  }
  follow();
  const publishedForEver = publishForEver();
  await closed;
  const fenced = closing;
  closing = true;
  clearTimeout(gathering);
  await publishedForEver;
  if (!fenced)
    await publishAll()
      .then(cosignAll)
      .catch((error: unknown) => tell({ kind: 'problem', message: `checkpoint: ${String(error)}` }));
}

await run();
await followed.close();
tell({ kind: 'closed' });
port.close();
