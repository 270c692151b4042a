import { countWithin, MAX_LISTED, MAX_SEGMENT, type Offsets } from './offsets.js';

/** Bytes after which a block is closed: many values share one row, and a look-up reads no more than it must. */
const BLOCK_BYTES = 8_192;
const HEAD = 4;
const BITMAP_BYTES = MAX_SEGMENT / 8;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const aligned = (length: number): number => (length + 3) & ~3;

/**
 * Values in the order of their bytes, each with its offsets, as blocks that are found by their first value. In a block,
 * little-endian: length of the value (16 bits), number of offsets less one (16 bits), the value filled up to four bytes, and the offsets:
 * 16 bits each filled up to four bytes, or a bitmap where there are more than a bitmap takes.
 */
export function* termBlocks(
  terms: Iterable<{ value: string; offsets: Offsets }>,
): Generator<{ first: Uint8Array; block: Uint8Array }> {
  const sorted = [...terms]
    .map(({ value, offsets }) => ({ value: encoder.encode(value), offsets }))
    .sort((a, b) => Buffer.compare(a.value, b.value));
  let first: Uint8Array | undefined;
  let parts: Uint8Array[] = [];
  let size = 0;
  for (const { value, offsets } of sorted) {
    const part = encoded(value, offsets);
    if (first !== undefined && size + part.length > BLOCK_BYTES) {
      yield { first, block: Buffer.concat(parts) };
      [first, parts, size] = [undefined, [], 0];
    }
    first ??= value;
    parts.push(part);
    size += part.length;
  }
  if (first !== undefined) yield { first, block: Buffer.concat(parts) };
}

function encoded(value: Uint8Array, offsets: Offsets): Uint8Array {
  const listed = 'list' in offsets && offsets.list.length <= MAX_LISTED;
  const count = countWithin(offsets, 0, MAX_SEGMENT);
  const start = HEAD + aligned(value.length);
  const bytes = new Uint8Array(start + (listed ? aligned(count * 2) : BITMAP_BYTES));
  new Uint16Array(bytes.buffer, 0, 2).set([value.length, count - 1]);
  bytes.set(value, HEAD);
  if ('bits' in offsets) new Uint32Array(bytes.buffer, start).set(offsets.bits);
  else new Uint16Array(bytes.buffer, start, count).set(offsets.list);
  return bytes;
}

export const valueBytes = (value: string): Uint8Array => encoder.encode(value);

interface Term {
  count: number;
  offsets: Offsets;
}

/** The offsets of a value in the block that it would be in. */
export function findInTermBlock(block: Uint8Array, value: Uint8Array): Term | undefined {
  const bytes = alignedBytes(block);
  for (let at = 0; at < bytes.length;) {
    const { length, count, start, end } = headAt(bytes, at);
    if (length === value.length && sameBytes(bytes, at + HEAD, value))
      return { count, offsets: offsetsAt(bytes, start, count) };
    at = end;
  }
  return undefined;
}

/** Every value of a block. */
export function* termsOfBlock(block: Uint8Array): Generator<Term & { value: string }> {
  const bytes = alignedBytes(block);
  for (let at = 0; at < bytes.length;) {
    const { length, count, start, end } = headAt(bytes, at);
    const value = decoder.decode(bytes.subarray(at + HEAD, at + HEAD + length));
    yield { value, count, offsets: offsetsAt(bytes, start, count) };
    at = end;
  }
}

function headAt(
  bytes: Uint8Array,
  at: number,
): { length: number; count: number; start: number; end: number } {
  const length = bytes[at]! | (bytes[at + 1]! << 8);
  const count = (bytes[at + 2]! | (bytes[at + 3]! << 8)) + 1;
  const start = at + HEAD + aligned(length);
  return { length, count, start, end: start + (count > MAX_LISTED ? BITMAP_BYTES : aligned(count * 2)) };
}

const offsetsAt = ({ buffer, byteOffset }: Uint8Array, start: number, count: number): Offsets =>
  count > MAX_LISTED
    ? { bits: new Uint32Array(buffer, byteOffset + start, BITMAP_BYTES / 4) }
    : { list: new Uint16Array(buffer, byteOffset + start, count) };

const alignedBytes = (block: Uint8Array): Uint8Array => (block.byteOffset % 4 === 0 ? block : block.slice());

function sameBytes(bytes: Uint8Array, at: number, value: Uint8Array): boolean {
  for (let i = 0; i < value.length; i++) if (bytes[at + i] !== value[i]) return false;
  return true;
}
