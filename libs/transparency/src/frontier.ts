import { TransparencyError } from './error.js';
import { EMPTY_ROOT, HASH_BYTES, completeSubtrees, foldSubtrees, nodeHash } from './hashing.js';

/**
 * A growing Merkle tree that keeps only its right edge: at most 53 hashes, whatever the size. Appending costs two
 * hashes amortised, the root at most 52.
 */
export class Frontier {
  #size: number;
  // One hash per set bit of #size, largest subtree first.
  readonly #edge: Buffer[];

  private constructor(size: number, edge: Buffer[]) {
    this.#size = size;
    this.#edge = edge;
  }

  static empty(): Frontier {
    return new Frontier(0, []);
  }

  /**
   * Continues a tree of `size` leaves from the hashes of its complete subtrees, largest first
   * (the order of `completeSubtrees(0, size)`).
   * @throws TransparencyError TREE_INCONSISTENT if their number does not fit the size
   */
  static from(size: number, edge: readonly Uint8Array[]): Frontier {
    if (!Number.isSafeInteger(size) || size < 0 || completeSubtrees(0, size).length !== edge.length) {
      throw new TransparencyError(
        'TREE_INCONSISTENT',
        `${edge.length} edge hashes do not fit a tree of ${size} leaves`,
      );
    }
    if (edge.some((hash) => hash.length !== HASH_BYTES)) {
      throw new TransparencyError('TREE_INCONSISTENT', 'an edge hash does not have 32 bytes');
    }
    return new Frontier(
      size,
      edge.map((hash) => Buffer.from(hash)),
    );
  }

  get size(): number {
    return this.#size;
  }

  /** The hashes of `completeSubtrees(0, size)`, for {@link Frontier.from}. */
  get edge(): readonly Buffer[] {
    return this.#edge;
  }

  append(leaf: Uint8Array): void {
    let node: Buffer = Buffer.from(leaf);
    for (let bits = this.#size; bits % 2 === 1; bits = (bits - 1) / 2)
      node = nodeHash(this.#edge.pop()!, node);
    this.#edge.push(node);
    this.#size++;
  }

  root(): Buffer {
    return this.#edge.length === 0 ? EMPTY_ROOT : foldSubtrees(this.#edge);
  }

  clone(): Frontier {
    return new Frontier(this.#size, [...this.#edge]);
  }
}
