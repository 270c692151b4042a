import { encodeEntryBundle } from './entry-bundles.js';
import { TransparencyError } from './error.js';
import { Frontier } from './frontier.js';
import { HASH_BYTES, completeSubtrees, leafHash, nodeHash } from './hashing.js';
import { sameHash } from './proofs.js';
import { TileHashSource } from './tile-hashes.js';
import { type TileCoordinate, TILE_WIDTH, hashesAtTileLevel, tilePath, tilesToWrite } from './tile-paths.js';
import type { TileStorage } from './tile-storage.js';

/** A tree head: what a checkpoint states. */
export interface TreeHead {
  size: number;
  root: Buffer;
}

/** Reads the entries `[start, end)` of the log, in order, from the authoritative store. */
export type EntryReader = (
  start: number,
  end: number,
) => Promise<readonly Uint8Array[]> | readonly Uint8Array[];

/**
 * Extends a log's tiles and entry bundles from `published` by all entries up to `size`, and answers the new head.
 * The checkpoint is the caller's: write it only after this resolved, so that it never promises a missing tile.
 * Nothing is changed that a published checkpoint refers to, hence a crash anywhere inside is repaired by calling
 * again with the same `published`.
 * @throws TransparencyError TREE_INCONSISTENT if the tiles on the medium are not those of `published`; TILE_MISSING,
 * TILE_MALFORMED, ENTRY_TOO_LARGE
 */
export async function extendTiles(
  storage: TileStorage,
  published: TreeHead,
  size: number,
  readEntries: EntryReader,
): Promise<TreeHead> {
  if (size < published.size) throw new TransparencyError('INDEX_OUT_OF_RANGE', 'a log never shrinks');
  const source = new TileHashSource(storage, published.size);
  const frontier = Frontier.from(published.size, await source.hashes(completeSubtrees(0, published.size)));
  if (!sameHash(frontier.root(), published.root)) {
    throw new TransparencyError(
      'TREE_INCONSISTENT',
      'the tiles on the medium are not those of the published head',
    );
  }
  if (size === published.size) return { size, root: frontier.root() };

  const writes = new WriteWindow(storage);
  const leaves = new HashRow(published.size);
  const firstBundle = Math.floor(published.size / TILE_WIDTH);
  for (let index = firstBundle; index * TILE_WIDTH < size; index++) {
    const start = index * TILE_WIDTH;
    const end = Math.min(start + TILE_WIDTH, size);
    const entries = await readEntries(start, end);
    if (entries.length !== end - start) {
      throw new TransparencyError(
        'TREE_INCONSISTENT',
        `the store has not the entries ${start} to ${end - 1}`,
      );
    }
    for (let i = Math.max(published.size - start, 0); i < entries.length; i++) {
      const hash = leafHash(entries[i]!);
      leaves.push(hash);
      frontier.append(hash);
    }
    await storage.write(
      tilePath({ level: 'entries', index, width: end - start }),
      encodeEntryBundle(entries),
    );
  }
  await writeHashTiles(writes, source, published.size, size, leaves);
  await writes.done();
  return { size, root: frontier.root() };
}

const WRITES_AT_ONCE = 16;

/**
 * Writes several files at once: a medium that makes each durable by itself does so much faster together. The order
 * among them does not matter, as nothing refers to them before the checkpoint does.
 */
class WriteWindow {
  #open: Promise<void>[] = [];

  constructor(private readonly storage: TileStorage) {}

  async add(path: string, bytes: Uint8Array): Promise<void> {
    this.#open.push(this.storage.write(path, bytes));
    if (this.#open.length >= WRITES_AT_ONCE) await this.done();
  }

  /** Resolves when everything is written; every write has ended, also if one failed. */
  async done(): Promise<void> {
    const results = await Promise.allSettled(this.#open);
    this.#open = [];
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

/** Consecutive hashes of one tile level, from position `first` on. */
class HashRow {
  readonly #hashes: Buffer[] = [];

  constructor(readonly first: number) {}

  push(hash: Buffer): void {
    this.#hashes.push(hash);
  }

  at(position: number): Buffer | undefined {
    return position < this.first ? undefined : this.#hashes[position - this.first];
  }
}

async function writeHashTiles(
  writes: WriteWindow,
  old: TileHashSource,
  oldSize: number,
  size: number,
  leaves: HashRow,
): Promise<void> {
  let row = leaves;
  let above = new HashRow(hashesAtTileLevel(1, oldSize));
  let level = 0;
  for (const tile of tilesToWrite(oldSize, size)) {
    if (tile.level !== level) {
      row = above;
      level = tile.level;
      above = new HashRow(hashesAtTileLevel(level + 1, oldSize));
    }
    const hashes = await tileHashes(old, tile, row);
    await writes.add(tilePath(tile), Buffer.concat(hashes, tile.width * HASH_BYTES));
    if (tile.width === TILE_WIDTH) above.push(foldFullTile(hashes));
  }
}

async function tileHashes(
  old: TileHashSource,
  tile: TileCoordinate & { level: number },
  row: HashRow,
): Promise<Buffer[]> {
  const start = tile.index * TILE_WIDTH;
  const known = Math.min(Math.max(row.first - start, 0), tile.width);
  const wanted = Array.from({ length: known }, (_, i) => ({ level: tile.level * 8, index: start + i }));
  const hashes = await old.hashes(wanted);
  for (let i = known; i < tile.width; i++) {
    const hash = row.at(start + i);
    if (!hash) throw new TransparencyError('TREE_INCONSISTENT', `no hash for ${tilePath(tile)}`);
    hashes.push(hash);
  }
  return hashes;
}

function foldFullTile(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i < row.length; i += 2) above.push(nodeHash(row[i]!, row[i + 1]!));
    row = above;
  }
  return row[0]!;
}
