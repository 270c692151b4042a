import { TransparencyError } from './error.js';
import { EMPTY_ROOT, type NodeCoordinate, completeSubtrees, foldSubtrees, nodeHash } from './hashing.js';

/**
 * A whole Merkle tree in memory, built level by level from its leaf hashes: for batches of some thousand leaves, where
 * every leaf's path is wanted at once. A lone last node is promoted unchanged, which gives exactly RFC 6962's tree.
 */
export class MemoryTree {
  readonly #levels: Buffer[][];

  constructor(leaves: readonly Buffer[]) {
    this.#levels = [[...leaves]];
    for (let below = this.#levels[0]!; below.length > 1; below = this.#levels.at(-1)!) {
      const above: Buffer[] = new Array<Buffer>(Math.ceil(below.length / 2));
      for (let i = 0; i + 1 < below.length; i += 2) above[i / 2] = nodeHash(below[i]!, below[i + 1]!);
      if (below.length % 2 === 1) above[above.length - 1] = below[below.length - 1]!;
      this.#levels.push(above);
    }
  }

  get size(): number {
    return this.#levels[0]!.length;
  }

  root(): Buffer {
    return this.#levels.at(-1)![0] ?? EMPTY_ROOT;
  }

  /** The root of the tree over the first `size` leaves. */
  rootAt(size: number): Buffer {
    if (size > this.size)
      throw new TransparencyError('INDEX_OUT_OF_RANGE', `tree has ${this.size} leaves, not ${size}`);
    return foldSubtrees(completeSubtrees(0, size).map((node) => this.node(node)));
  }

  /** The inclusion path of leaf `index`, from its sibling up to the root's child. */
  path(index: number): Buffer[] {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size) {
      throw new TransparencyError('INDEX_OUT_OF_RANGE', `tree has ${this.size} leaves, no leaf ${index}`);
    }
    const path: Buffer[] = [];
    let position = index;
    for (let level = 0; level < this.#levels.length - 1; level++) {
      const sibling = this.#levels[level]![position ^ 1];
      if (sibling) path.push(sibling);
      position >>>= 1;
    }
    return path;
  }

  /** The hash of a complete subtree. */
  node({ level, index }: NodeCoordinate): Buffer {
    const hash = (index + 1) * 2 ** level <= this.size ? this.#levels[level]?.[index] : undefined;
    if (!hash) throw new TransparencyError('INDEX_OUT_OF_RANGE', `no complete subtree ${level}/${index}`);
    return hash;
  }

  /** {@link HashSource} over this tree. */
  hashes(nodes: readonly NodeCoordinate[]): Promise<Buffer[]> {
    return Promise.resolve(nodes.map((node) => this.node(node)));
  }
}
