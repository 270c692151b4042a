import { parseDecimal } from './base64.js';
import { TransparencyError } from './error.js';

/** Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;
/** Tree levels that one tile spans. */
export const TILE_HEIGHT = 8;

/**
 * One resource of a tiled log: a hash tile (`level` 0..63) or an entry bundle (`level: 'entries'`).
 * `width` is the number of its hashes or entries; below 256 it is partial.
 */
export interface TileCoordinate {
  level: number | 'entries';
  index: number;
  width: number;
}

/** The path below the log's prefix, e.g. `tile/0/x001/x234/067.p/5` (C2SP tlog-tiles, "Merkle Tree"). */
export function tilePath({ level, index, width }: TileCoordinate): string {
  const groups: string[] = [];
  let rest = index;
  do {
    groups.unshift(String(rest % 1000).padStart(3, '0'));
    rest = Math.floor(rest / 1000);
  } while (rest > 0);
  const name = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${name}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/**
 * Reads a path that {@link tilePath} writes and refuses every other spelling, so that each resource has one name.
 * @throws TransparencyError TILE_PATH_INVALID
 */
export function parseTilePath(path: string): TileCoordinate {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(
    path,
  );
  if (match) {
    const level = match[1] === 'entries' ? 'entries' : parseDecimal(match[1]!);
    const index = Number(match[2]!.replaceAll(/[x/]/g, ''));
    const width = match[3] === undefined ? TILE_WIDTH : (parseDecimal(match[3]) ?? 0);
    const partial = match[3] === undefined || (width >= 1 && width < TILE_WIDTH);
    if (
      level !== undefined &&
      (level === 'entries' || level <= 63) &&
      partial &&
      Number.isSafeInteger(index)
    ) {
      const coordinate: TileCoordinate = { level, index, width };
      if (tilePath(coordinate) === path) return coordinate;
    }
  }
  throw new TransparencyError('TILE_PATH_INVALID', 'not the path of a tile or an entry bundle');
}

/** Number of hashes at tile level `level` in a tree of `size` leaves. */
export function hashesAtTileLevel(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** The tile `level`/`index` as it is in a tree of `size` leaves; undefined if it is empty there. */
export function tileInTree(level: number, index: number, size: number): TileCoordinate | undefined {
  const width = Math.min(TILE_WIDTH, hashesAtTileLevel(level, size) - index * TILE_WIDTH);
  return width > 0 ? { level, index, width } : undefined;
}

/** Every hash tile of a tree of `size` leaves that a tree of `oldSize` did not have in this width, lowest level first. */
export function* tilesToWrite(oldSize: number, size: number): Generator<TileCoordinate & { level: number }> {
  for (let level = 0; level <= 63; level++) {
    const before = hashesAtTileLevel(level, oldSize);
    const after = hashesAtTileLevel(level, size);
    if (after === 0) return;
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
      const width = Math.min(TILE_WIDTH, after - index * TILE_WIDTH);
      if (index * TILE_WIDTH + width > before) yield { level, index, width };
    }
  }
}
