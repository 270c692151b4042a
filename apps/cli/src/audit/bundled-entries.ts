import { type PublishedFiles, readBundle } from '#auditor';
import { peekCheckpoint, TILE_WIDTH } from '#transparency';

/**
 * The entries `[from, to)` of a log from its entry bundles, as far as its checkpoint goes: for an auditor whom the broker does not give
 * them, because it keeps them no more or does not want to.
 */
export async function* bundledEntries(
  files: PublishedFiles,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<{ index: number; bytes: Buffer }> {
  const note = await files.read('checkpoint');
  const size = note ? peekCheckpoint(note).size : 0;
  const end = Math.min(to, size);
  for (let bundle = Math.floor(from / TILE_WIDTH); bundle * TILE_WIDTH < end; bundle++) {
    const start = bundle * TILE_WIDTH;
    const entries = await readBundle(files, bundle, Math.min(TILE_WIDTH, size - start));
    if (!entries) return;
    for (let index = Math.max(from, start); index < Math.min(end, start + entries.length); index++)
      yield { index, bytes: entries[index - start]! };
  }
}
