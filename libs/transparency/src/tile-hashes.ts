import { TransparencyError } from './error.js';
import { HASH_BYTES, type NodeCoordinate, completeSubtrees, foldSubtrees, nodeHash } from './hashing.js';
import type { HashSource } from './proofs.js';
import { type TileCoordinate, TILE_HEIGHT, TILE_WIDTH, tileInTree, tilePath } from './tile-paths.js';
import type { TileStorage } from './tile-storage.js';

/** Reads the tile of a tree, or the full tile if the partial one was pruned, and cuts it to the wanted width. */
async function readTile(storage: Pick<TileStorage, 'read'>, tile: TileCoordinate): Promise<Buffer> {
  const exact = await storage.read(tilePath(tile));
  const bytes = exact ?? (await storage.read(tilePath({ ...tile, width: TILE_WIDTH })));
  if (!bytes) throw new TransparencyError('TILE_MISSING', `${tilePath(tile)} is missing`);
  const width = exact ? tile.width : TILE_WIDTH;
  if (bytes.length !== width * HASH_BYTES) {
    throw new TransparencyError('TILE_MALFORMED', `${tilePath(tile)} has ${bytes.length} bytes`);
  }
  return bytes.subarray(0, tile.width * HASH_BYTES);
}

/** The hash of the `2 ** height` tile hashes from `first` on: a subtree inside one tile. */
function subtreeInTile(tile: Buffer, first: number, height: number): Buffer {
  let row: Buffer[] = [];
  for (let i = first; i < first + 2 ** height; i++)
    row.push(tile.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i < row.length; i += 2) above.push(nodeHash(row[i]!, row[i + 1]!));
    row = above;
  }
  return row[0]!;
}

/**
 * The hashes of a tree of `size` leaves, read from its tiles. A source is for one size and keeps the tiles it read:
 * make one per proof or per verified checkpoint.
 */
export class TileHashSource implements HashSource {
  readonly #tiles = new Map<string, Promise<Buffer>>();

  constructor(
    private readonly storage: Pick<TileStorage, 'read'>,
    readonly size: number,
  ) {}

  async hashes(nodes: readonly NodeCoordinate[]): Promise<Buffer[]> {
    return Promise.all(nodes.map((node) => this.#hash(node)));
  }

  /** The root over the tiles' own hashes. Compare it with a signed checkpoint before trusting any tile. */
  async root(): Promise<Buffer> {
    return foldSubtrees(await this.hashes(completeSubtrees(0, this.size)));
  }

  async #hash({ level, index }: NodeCoordinate): Promise<Buffer> {
    const tileLevel = Math.floor(level / TILE_HEIGHT);
    const height = level - tileLevel * TILE_HEIGHT;
    const first = index * 2 ** height;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const within = first - tileIndex * TILE_WIDTH;
    const tile = tileInTree(tileLevel, tileIndex, this.size);
    if (!tile || within + 2 ** height > tile.width) {
      throw new TransparencyError(
        'INDEX_OUT_OF_RANGE',
        `no complete subtree ${level}/${index} in ${this.size} leaves`,
      );
    }
    const key = tilePath(tile);
    let bytes = this.#tiles.get(key);
    if (!bytes) {
      bytes = readTile(this.storage, tile);
      this.#tiles.set(key, bytes);
    }
    return subtreeInTile(await bytes, within, height);
  }
}
