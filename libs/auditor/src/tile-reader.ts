import {
  HASH_BYTES,
  TILE_WIDTH,
  type TileCoordinate,
  decodeEntryBundle,
  tilePath,
  TransparencyError,
} from '#transparency';

/** Where the files of a published log are read: a folder, a URL, a copy in memory. Undefined is "there is no such file". */
export interface PublishedFiles {
  read(path: string): Promise<Buffer | undefined>;
}

/** The file of a tile, or the full one where the partial one was removed meanwhile, and its width. */
async function readEither(
  files: PublishedFiles,
  tile: TileCoordinate,
): Promise<{ bytes: Buffer; width: number } | undefined> {
  const exact = await files.read(tilePath(tile));
  if (exact) return { bytes: exact, width: tile.width };
  if (tile.width === TILE_WIDTH) return undefined;
  const full = await files.read(tilePath({ ...tile, width: TILE_WIDTH }));
  return full && { bytes: full, width: TILE_WIDTH };
}

/**
 * The entries of a bundle; undefined if it is missing.
 * @throws TransparencyError BUNDLE_MALFORMED
 */
export async function readBundle(
  files: PublishedFiles,
  index: number,
  width: number,
): Promise<Buffer[] | undefined> {
  const found = await readEither(files, { level: 'entries', index, width });
  return found && decodeEntryBundle(found.bytes, found.width).slice(0, width);
}

/**
 * The hashes of a tile; undefined if it is missing.
 * @throws TransparencyError TILE_MALFORMED
 */
export async function readHashes(
  files: PublishedFiles,
  level: number,
  index: number,
  width: number,
): Promise<Buffer[] | undefined> {
  const found = await readEither(files, { level, index, width });
  if (!found) return undefined;
  if (found.bytes.length !== found.width * HASH_BYTES)
    throw new TransparencyError('TILE_MALFORMED', `${tilePath({ level, index, width })} has another size`);
  return Array.from({ length: width }, (_, i) => found.bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
}
