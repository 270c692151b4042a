import { SignedEvent } from '#contracts';
import {
  MemoryTree,
  TILE_WIDTH,
  decodeEntryBundle,
  ed25519Verifier,
  leafHash,
  openCheckpoint,
  signBatch,
  tilePath,
  Frontier,
  sameHash,
} from '#transparency';
import { type KeyObject, createPublicKey, sign } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import type { OwnLog } from '../own-log.js';
import { EntryTable } from '../sequencing/entry-table.js';
import { EpochTable } from '../sequencing/epoch-table.js';
import { Numbering, place } from '../sequencing/numbering.js';
import { openLogForWriting, StoreError } from '../store/log-database.js';
import { CHECKPOINT, type TileSettings, openTileStore } from '../tree/tile-store.js';

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
 * Makes a lost store anew from the published tiles: the same entries at the same indexes, so that the same tree goes on.
 * Promises are signed again, as the commits that they spoke of are not published. What was committed after the last
 * checkpoint is not in the tiles and is lost with the store.
 * @returns the number of entries
 * @throws StoreError if there is a store, or the tiles are not those of the checkpoint; nothing is left behind then
 */
export async function restoreStore(
  path: string,
  tiles: TileSettings,
  logs: readonly OwnLog[],
  logKey: KeyObject,
): Promise<number> {
  if (existsSync(path)) throw new StoreError('there is a store; it is newer than its tiles');
  const draft = `${path}.restoring`;
  const remove = (): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${draft}${suffix}`, { force: true });
  };
  remove();
  try {
    const count = await fill(draft, tiles, logs, logKey);
    renameSync(draft, path);
    return count;
  } catch (error) {
    remove();
    throw error;
  }
}

async function fill(
  draft: string,
  tiles: TileSettings,
  logs: readonly OwnLog[],
  logKey: KeyObject,
): Promise<number> {
  const database = openLogForWriting(draft);
  try {
    database.exec('BEGIN');
    const table = new EntryTable(database, logs);
    const numbering = new Numbering(new EpochTable(database));
    const batches = new Map<OwnLog, { id: number; start: number; leaves: Buffer[] }>();
    let [position, nextBatch, time] = [0, 1, 0];
    const close = (log: OwnLog): void => {
      const batch = batches.get(log);
      if (!batch) return;
      const at = { log: log.origin, start: batch.start, time, kid: log.kid };
      const signed = signBatch(at, new MemoryTree(batch.leaves), (statement) =>
        sign(null, statement, logKey),
      );
      table.insertBatch(batch.id, log.id, signed);
      batches.delete(log);
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
      const epoch = numbering.epochOf(event.emitter.name, event.emitter.epoch);
      place(epoch, event.emitter.seq, at, event.tenant);
      table.insert(++position, log.id, index, batch.id, epoch.id, event.emitter.seq, entry);
      batch.leaves.push(leafHash(entry));
      if (batch.leaves.length === TILE_WIDTH) close(log);
    }
    for (const log of logs) close(log);
    // What is missing was reported when it happened.
    numbering.takeOverdue(Infinity);
    numbering.save();
    database.exec('COMMIT');
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return position;
  } finally {
    database.close();
  }
}
