import { TILE_WIDTH, TransparencyError, nodeHash } from '#transparency';
import { type Fraud, fraud } from './fraud.js';
import { type PublishedFiles, readHashes } from './tile-reader.js';

/**
 * Compares all hash tiles of a log with those that its entries make, while the entries stream by; holds one row of at
 * most 256 hashes per level.
 */
export class TileRows {
  readonly #rows: { index: number; hashes: Buffer[] }[] = [];

  constructor(private readonly files: PublishedFiles) {}

  async push(leaf: Buffer): Promise<Fraud | undefined> {
    return this.#push(0, leaf);
  }

  /** Compares the partial tiles at the right edge. */
  async finish(): Promise<Fraud | undefined> {
    let found: Fraud | undefined;
    for (let level = 0; level < this.#rows.length; level++) {
      if (this.#rows[level]!.hashes.length > 0) found ??= await this.#compare(level);
    }
    return found;
  }

  async #push(level: number, hash: Buffer): Promise<Fraud | undefined> {
    const row = (this.#rows[level] ??= { index: 0, hashes: [] });
    row.hashes.push(hash);
    if (row.hashes.length < TILE_WIDTH) return undefined;
    const found = await this.#compare(level);
    const above = fold(row.hashes);
    row.hashes = [];
    row.index++;
    return (await this.#push(level + 1, above)) ?? found;
  }

  async #compare(level: number): Promise<Fraud | undefined> {
    const { index, hashes } = this.#rows[level]!;
    const leaves = TILE_WIDTH ** level;
    const first = index * TILE_WIDTH * leaves;
    const name = `hash tile ${level}/${index}`;
    let published: Buffer[] | undefined;
    try {
      published = await readHashes(this.files, level, index, hashes.length);
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      return fraud('rewritten', `${name} is damaged`, first);
    }
    if (!published) return fraud('dropped', `${name} is missing`, first);
    const wrong = hashes.findIndex((hash, i) => !hash.equals(published[i]!));
    if (wrong < 0) return undefined;
    const at = first + wrong * leaves;
    return fraud('rewritten', `${name} is not made of the entries from ${at} on`, at);
  }
}

function fold(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i < row.length; i += 2) above.push(nodeHash(row[i]!, row[i + 1]!));
    row = above;
  }
  return row[0]!;
}
