import { MAX_SEGMENT } from './offsets.js';

const BUCKETS = 256;
const BYTES = 6;

/**
 * 40 bits that stand for a value. What they stand for is a digest or random itself, and a match is confirmed on the
 * event, so that a cryptographic hash would buy nothing: a collision costs a look at one event. The seed tells equal values
 * of different fields apart.
 */
export function digestOf(value: string, seed = 0): number {
  let a = 0x811c9dc5 ^ seed;
  let b = 0x9e3779b9 + seed;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 15);
  }
  a = Math.imul(a ^ (a >>> 16) ^ b, 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 13) ^ a, 0x27d4eb2f);
  return ((a ^ (a >>> 15)) >>> 24) * 2 ** 32 + ((b ^ (b >>> 16)) >>> 0);
}

/** Digest of a value of a field that has no kind of its own. */
export const otherDigestOf = (path: string, value: string): number => digestOf(value, seedOf(path));

export const seedOf = (path: string): number => digestOf(path) | 0;

/** The first 40 bits of a leaf hash. */
export const leafDigestOf = (leaf: Buffer): number => leaf.readUIntBE(0, 5);

/** The digests of one field of the events of a segment that is being filled; in each element 40 bits of digest, then the offset. */
export class DigestColumn {
  #words = new Uint32Array(2 * 1_024);
  #count = 0;

  add(digest: number, offset: number): void {
    if (this.#count * 2 === this.#words.length) {
      const grown = new Uint32Array(Math.min(this.#words.length * 2, MAX_SEGMENT * 2));
      // An event may have several values: then there are more digests than events.
      const words = grown.length > this.#words.length ? grown : new Uint32Array(this.#words.length * 2);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[this.#count * 2] = (digest << 16) | offset;
    this.#words[this.#count * 2 + 1] = Math.floor(digest / 2 ** 16);
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** The digests from the `from`th on, as pairs with their offsets. */
  since(from: number): number[] {
    const pairs: number[] = [];
    for (let i = from; i < this.#count; i++) pairs.push(this.#digest(i), this.#words[i * 2]! & 0xffff);
    return pairs;
  }

  find(digest: number): number[] {
    const [low, high] = [(digest & 0xffff) >>> 0, Math.floor(digest / 2 ** 16)];
    const found: number[] = [];
    for (let i = 0; i < this.#count; i++)
      if (this.#words[i * 2 + 1] === high && this.#words[i * 2]! >>> 16 === low)
        addNew(found, this.#words[i * 2]! & 0xffff);
    return found;
  }

  /** Blocks by the digests' first byte: sorted, first the 32 bits that are left of all, then the offsets of all. */
  *blocks(): Generator<{ bucket: number; block: Uint8Array }> {
    // As 64-bit numbers (little-endian) their order is that of digest and offset.
    const sorted = new BigUint64Array(this.#words.slice(0, this.#count * 2).buffer).sort();
    const words = new Uint32Array(sorted.buffer);
    for (let bucket = 0, start = 0; bucket < BUCKETS; bucket++) {
      let end = start;
      while (end < this.#count && words[end * 2 + 1]! >>> 16 === bucket) end++;
      if (end === start) continue;
      const count = end - start;
      const block = new Uint8Array(count * BYTES);
      const rests = new Uint32Array(block.buffer, 0, count);
      const offsets = new Uint16Array(block.buffer, count * 4, count);
      for (let i = 0; i < count; i++) {
        const [low, high] = [words[(start + i) * 2]!, words[(start + i) * 2 + 1]!];
        rests[i] = (high << 16) | (low >>> 16);
        offsets[i] = low & 0xffff;
      }
      yield { bucket, block };
      start = end;
    }
  }

  #digest(i: number): number {
    return this.#words[i * 2 + 1]! * 2 ** 16 + (this.#words[i * 2]! >>> 16);
  }
}

const KINDS = 64;

/** Where the block is, of the segment that begins behind `above`; exact up to half a trillion events. */
export const digestBlockId = (above: number, kind: number, bucket: number): number =>
  (above * KINDS + kind) * BUCKETS + bucket;

/** The block that a digest is in, if it is there. */
export const bucketOf = (digest: number): number => Math.floor(digest / 2 ** 32);

/** The offsets of a digest in its block, ascending. */
export function findInDigestBlock(block: Uint8Array, digest: number): number[] {
  const bytes = block.byteOffset % 4 === 0 ? block : block.slice();
  const count = Math.floor(bytes.length / BYTES);
  const rests = new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  const offsets = new Uint16Array(bytes.buffer, bytes.byteOffset + count * 4, count);
  const rest = digest >>> 0;
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rests[middle]! < rest) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (; low < count && rests[low] === rest; low++) addNew(found, offsets[low]!);
  return found;
}

/** An event may have the same value twice. */
function addNew(found: number[], offset: number): void {
  if (found.at(-1) !== offset) found.push(offset);
}
