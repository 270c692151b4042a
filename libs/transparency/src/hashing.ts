import { createHash, hash } from 'node:crypto';
import { TransparencyError } from './error.js';

/** Bytes of a SHA-256 tree hash. */
export const HASH_BYTES = 32;

/** The root of the tree with no leaves: SHA-256 of nothing (RFC 6962 section 2.1). */
export const EMPTY_ROOT: Buffer = hash('sha256', Buffer.alloc(0), 'buffer');

const LEAF_PREFIX = Buffer.from([0]);
// A node's input always has 65 bytes: one scratch buffer serves every call, as the hash is taken synchronously.
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

/** Hash of a log entry: SHA-256(0x00 || entry) (RFC 6962 section 2.1). */
export function leafHash(entry: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF_PREFIX).update(entry).digest();
}

/** Hash of an inner node: SHA-256(0x01 || left || right) (RFC 6962 section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  if (left.length !== HASH_BYTES || right.length !== HASH_BYTES) {
    throw new TransparencyError('PROOF_MALFORMED', 'a tree hash has 32 bytes');
  }
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return hash('sha256', nodeInput, 'buffer');
}

/** A complete subtree: `level` 0 are leaves; `index` counts the subtrees of that level from the left. */
export interface NodeCoordinate {
  level: number;
  index: number;
}

/**
 * The maximal complete subtrees that tile the leaves `[start, end)`, from left to right. `start` must be a multiple of
 * the largest power of two not above `end - start`, as all ranges in RFC 6962 proofs are.
 */
export function completeSubtrees(start: number, end: number): NodeCoordinate[] {
  const nodes: NodeCoordinate[] = [];
  let position = start;
  while (position < end) {
    const level = Math.floor(Math.log2(end - position));
    // Math.log2 rounds: above 2^48 it may be one too high.
    const exact = 2 ** level > end - position ? level - 1 : level;
    nodes.push({ level: exact, index: position / 2 ** exact });
    position += 2 ** exact;
  }
  return nodes;
}

/** Folds the hashes of {@link completeSubtrees} into the hash of the range they tile. */
export function foldSubtrees(hashes: readonly Uint8Array[]): Buffer {
  if (hashes.length === 0) return EMPTY_ROOT;
  let folded: Uint8Array = hashes[hashes.length - 1]!;
  for (let i = hashes.length - 2; i >= 0; i--) folded = nodeHash(hashes[i]!, folded);
  return Buffer.from(folded);
}
