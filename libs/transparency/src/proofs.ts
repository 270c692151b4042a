import { timingSafeEqual } from 'node:crypto';
import { TransparencyError } from './error.js';
import { HASH_BYTES, type NodeCoordinate, completeSubtrees, foldSubtrees, nodeHash } from './hashing.js';

/** Where proofs get the hashes of complete subtrees from: tiles, a memory tree, a database. */
export interface HashSource {
  /** The hashes of `nodes`, in their order. @throws TransparencyError if one cannot be had */
  hashes(nodes: readonly NodeCoordinate[]): Promise<Buffer[]>;
}

interface Range {
  start: number;
  end: number;
}

/** The largest power of two below `n` (n > 1): where RFC 6962 splits a tree of `n` leaves. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function checkPosition(value: number, limit: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > limit) {
    throw new TransparencyError('INDEX_OUT_OF_RANGE', `${what} ${value} is outside 0..${limit}`);
  }
}

/** The leaf ranges whose hashes make up PATH(index, D[0:size]) of RFC 6962 section 2.1.1, lowest first. */
function inclusionRanges(index: number, size: number): Range[] {
  const ranges: Range[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  return ranges.reverse();
}

/** The leaf ranges of PROOF(oldSize, D[0:size]) of RFC 6962 section 2.1.2. */
function consistencyRanges(oldSize: number, size: number): Range[] {
  const ranges: Range[] = [];
  let start = 0;
  let end = size;
  while (oldSize < end) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // The old tree's own root is known to the verifier and is left out.
  if (start > 0) ranges.push({ start, end });
  return ranges.reverse();
}

async function hashRanges(source: HashSource, ranges: readonly Range[]): Promise<Buffer[]> {
  const parts = ranges.map(({ start, end }) => completeSubtrees(start, end));
  const hashes = await source.hashes(parts.flat());
  let offset = 0;
  return parts.map(({ length }) => foldSubtrees(hashes.slice(offset, (offset += length))));
}

/**
 * The inclusion proof of leaf `index` in the tree of the first `size` leaves (RFC 6962 section 2.1.1).
 * @throws TransparencyError INDEX_OUT_OF_RANGE, or what `source` throws
 */
export async function proveInclusion(source: HashSource, index: number, size: number): Promise<Buffer[]> {
  checkPosition(index, size - 1, 'leaf index');
  return hashRanges(source, inclusionRanges(index, size));
}

/**
 * The proof that the tree of `oldSize` leaves is a prefix of the tree of `size` leaves (RFC 6962 section 2.1.2);
 * empty if the sizes are equal or `oldSize` is 0.
 * @throws TransparencyError INDEX_OUT_OF_RANGE, or what `source` throws
 */
export async function proveConsistency(source: HashSource, oldSize: number, size: number): Promise<Buffer[]> {
  checkPosition(size, Number.MAX_SAFE_INTEGER, 'tree size');
  checkPosition(oldSize, size, 'old tree size');
  if (oldSize === 0 || oldSize === size) return [];
  return hashRanges(source, consistencyRanges(oldSize, size));
}

/**
 * The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2).
 * @throws TransparencyError PROOF_MALFORMED if the proof's length does not fit, INDEX_OUT_OF_RANGE
 */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Buffer {
  checkPosition(size, Number.MAX_SAFE_INTEGER, 'tree size');
  checkPosition(index, size - 1, 'leaf index');
  if (leaf.length !== HASH_BYTES) throw new TransparencyError('PROOF_MALFORMED', 'a leaf hash has 32 bytes');
  let node: Uint8Array = leaf;
  let position = index;
  let last = size - 1;
  for (const sibling of proof) {
    if (last === 0) throw new TransparencyError('PROOF_MALFORMED', 'the inclusion proof is too long');
    if (position % 2 === 1 || position === last) {
      node = nodeHash(sibling, node);
      while (position % 2 === 0 && position !== 0) {
        position /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      node = nodeHash(node, sibling);
    }
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new TransparencyError('PROOF_MALFORMED', 'the inclusion proof is too short');
  return Buffer.from(node);
}

/**
 * Checks that `leaf` is the leaf hash at `index` of the tree with `size` leaves and this `root`.
 * @throws TransparencyError PROOF_INVALID, PROOF_MALFORMED, INDEX_OUT_OF_RANGE
 */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  if (!sameHash(rootFromInclusion(leaf, index, size, proof), root)) {
    throw new TransparencyError(
      'PROOF_INVALID',
      `the inclusion proof of leaf ${index} does not lead to the root`,
    );
  }
}

/**
 * Checks that the tree (`oldSize`, `oldRoot`) is a prefix of the tree (`size`, `root`) (RFC 9162 section 2.1.4.2).
 * @throws TransparencyError PROOF_INVALID, PROOF_MALFORMED, INDEX_OUT_OF_RANGE
 */
export function verifyConsistency(
  oldSize: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  checkPosition(size, Number.MAX_SAFE_INTEGER, 'tree size');
  checkPosition(oldSize, size, 'old tree size');
  if (oldSize === size || oldSize === 0) {
    if (proof.length > 0)
      throw new TransparencyError('PROOF_MALFORMED', 'this consistency proof must be empty');
    const trivial = oldSize === size ? sameHash(oldRoot, root) : sameHash(oldRoot, foldSubtrees([]));
    if (!trivial) throw new TransparencyError('PROOF_INVALID', 'the roots of the two trees disagree');
    return;
  }
  let position = oldSize - 1;
  let last = size - 1;
  while (position % 2 === 1) {
    position = (position - 1) / 2;
    last = Math.floor(last / 2);
  }
  // When the old tree is complete, its root is the proof's implied first hash.
  const hashes = position === 0 ? [oldRoot, ...proof] : [...proof];
  const seed = hashes.shift();
  if (!seed) throw new TransparencyError('PROOF_MALFORMED', 'the consistency proof is too short');
  if (seed.length !== HASH_BYTES) throw new TransparencyError('PROOF_MALFORMED', 'a tree hash has 32 bytes');
  let oldNode: Uint8Array = seed;
  let node: Uint8Array = seed;
  for (const sibling of hashes) {
    if (last === 0) throw new TransparencyError('PROOF_MALFORMED', 'the consistency proof is too long');
    if (position % 2 === 1 || position === last) {
      oldNode = nodeHash(sibling, oldNode);
      node = nodeHash(sibling, node);
      while (position % 2 === 0 && position !== 0) {
        position /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      node = nodeHash(node, sibling);
    }
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new TransparencyError('PROOF_MALFORMED', 'the consistency proof is too short');
  if (!sameHash(oldNode, oldRoot) || !sameHash(node, root)) {
    throw new TransparencyError(
      'PROOF_INVALID',
      `the tree of ${size} leaves does not extend the tree of ${oldSize}`,
    );
  }
}

/** Constant-time equality of two tree hashes; false if either does not have 32 bytes. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === HASH_BYTES && b.length === HASH_BYTES && timingSafeEqual(a, b);
}
