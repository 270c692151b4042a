import { SignedEvent } from '#contracts';
import {
  Frontier,
  MemoryTree,
  TILE_WIDTH,
  decodeEntryBundle,
  ed25519Verifier,
  leafHash,
  openCheckpoint,
  sameHash,
  signBatch,
  tilePath,
} from '#transparency';
import { type KeyObject, createPublicKey, sign } from 'node:crypto';
import type { OwnLog } from '../own-log.js';
import { Numbering, place } from '../sequencing/numbering.js';
import type { EntryStore, EpochStore } from '../sequencing/placing-store.js';
import { StoreError } from '../store/log-database.js';
import { CHECKPOINT, type TileSettings, openTileStore } from '../tree/tile-store.js';

/** From what a store is made anew. */
export interface PublishedLogs {
  tiles: TileSettings;
  logs: readonly OwnLog[];
  logKey: KeyObject;
}

/** An empty store that is being filled. */
export interface FillingStore {
  entries: Pick<EntryStore, 'insert' | 'insertBatch'>;
  epochs: EpochStore;
  /** An epoch is needed that is not in memory: a store that does not answer at once reads it. */
  recall(emitter: string, epoch: string): Promise<void>;
  /** Everything up to here is whole: a store that buffers writes it. */
  flush(position: number, nextBatch: number, time: number): Promise<void>;
}

/** Entries after which everything is written that was buffered. */
const FLUSH = 4_096;

/** One entry of a published log, with the time that its emitter gave it. */
interface Published {
  log: OwnLog;
  index: number;
  entry: Buffer;
  event: SignedEvent['event'];
  time: number;
}

/**
 * The entries of a published log, in order, each bundle as it is read; the root over all of them must be that of the signed
 * checkpoint, which is known only at the end.
 * @throws StoreError, TransparencyError
 */
async function* publishedEntries(
  log: OwnLog,
  tiles: TileSettings,
  logKey: KeyObject,
): AsyncGenerator<Published> {
  const storage = openTileStore(tiles, log);
  const note = await storage.read(CHECKPOINT);
  if (!note) return;
  const { size, root } = openCheckpoint(
    note,
    log.origin,
    ed25519Verifier(log.origin, createPublicKey(logKey)),
  );
  const frontier = Frontier.empty();
  for (let bundle = 0; bundle * TILE_WIDTH < size; bundle++) {
    const width = Math.min(TILE_WIDTH, size - bundle * TILE_WIDTH);
    const partial = await storage.read(tilePath({ level: 'entries', index: bundle, width }));
    const bytes =
      partial ?? (await storage.read(tilePath({ level: 'entries', index: bundle, width: TILE_WIDTH })));
    if (!bytes) throw new StoreError(`${log.origin}: the entry bundle ${bundle} is missing`);
    const entries = decodeEntryBundle(bytes, partial ? width : TILE_WIDTH).slice(0, width);
    for (const [i, entry] of entries.entries()) {
      frontier.append(leafHash(entry));
      const { event } = SignedEvent.parse(JSON.parse(entry.toString('utf8')));
      yield { log, index: bundle * TILE_WIDTH + i, entry, event, time: Date.parse(event.time) };
    }
  }
  if (!sameHash(frontier.root(), root))
    throw new StoreError(`${log.origin}: the entries are not those of the signed checkpoint`);
}

/** All logs' entries by time, each log in its own order: the order of commits between logs is not published. */
async function* merged(sources: AsyncGenerator<Published>[]): AsyncGenerator<Published> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let first: number | undefined;
    for (const [i, head] of heads.entries())
      if (!head.done && (first === undefined || head.value.time < (heads[first]!.value as Published).time))
        first = i;
    if (first === undefined) return;
    yield heads[first]!.value as Published;
    heads[first] = await sources[first]!.next();
  }
}

/**
 * Fills an empty store with the entries of the published tiles, at their indexes, so that the same tree goes on. Promises
 * are signed again, as the commits that they spoke of are not published.
 * @returns the number of entries
 * @throws StoreError, TransparencyError if the tiles are not those of the signed checkpoint; the caller undoes everything
 */
export async function fillStore(
  { tiles, logs, logKey }: PublishedLogs,
  store: FillingStore,
): Promise<number> {
  const numbering = new Numbering(store.epochs);
  const batches = new Map<OwnLog, { id: number; start: number; leaves: Buffer[] }>();
  let [position, nextBatch, time] = [0, 1, 0];
  const close = (log: OwnLog): void => {
    const batch = batches.get(log);
    if (!batch) return;
    const at = { log: log.origin, start: batch.start, time, kid: log.kid };
    const signed = signBatch(at, new MemoryTree(batch.leaves), (statement) => sign(null, statement, logKey));
    store.entries.insertBatch(batch.id, log.id, signed);
    batches.delete(log);
  };
  const flush = async (): Promise<void> => {
    for (const log of logs) close(log);
    // What is missing was reported when it happened.
    numbering.takeOverdue(Infinity);
    numbering.save();
    await store.flush(position, nextBatch, time);
  };
  for await (const { log, index, entry, event, time: at } of merged(
    logs.map((each) => publishedEntries(each, tiles, logKey)),
  )) {
    // The store's time never decreases with the position.
    time = Math.max(time, at);
    let batch = batches.get(log);
    if (!batch) {
      batch = { id: nextBatch++, start: index, leaves: [] };
      batches.set(log, batch);
    }
    const { name, epoch: run, seq } = event.emitter;
    if (!numbering.peek(name, run)) await store.recall(name, run);
    const epoch = numbering.epochOf(name, run);
    place(epoch, seq, at, event.tenant);
    store.entries.insert(++position, log.id, index, batch.id, epoch.id, seq, entry);
    batch.leaves.push(leafHash(entry));
    if (batch.leaves.length === TILE_WIDTH) close(log);
    if (position % FLUSH === 0) await flush();
  }
  await flush();
  return position;
}
