import type { Random } from './random.js';

/** Turns an input into another one; `other` is a further input of the pool to take parts from. */
export type Mutation = (input: Buffer, other: Buffer, random: Random) => Buffer;

const INTERESTING_BYTES = [
  0x00, 0x01, 0x02, 0x05, 0x06, 0x0a, 0x20, 0x22, 0x2d, 0x30, 0x5b, 0x7b, 0x7f, 0x80, 0x81, 0x84, 0xa0, 0xff,
];
const INTERESTING_NUMBERS = [
  0, 1, 2, 3, 4, 5, 6, 7, 16, 0x7f, 0x80, 0xff, 0x100, 384, 584, 648, 0x7fff, 0x8000, 0xffff, 0x10000,
  0x7fffffff, 0x80000000, 0xffffffff,
];

const slice = (input: Buffer, random: Random): Buffer => {
  const from = random.below(input.length);
  return input.subarray(from, from + random.smallLength(input.length - from));
};
const insertAt = (input: Buffer, at: number, part: Buffer): Buffer =>
  Buffer.concat([input.subarray(0, at), part, input.subarray(at)]);

/** Writes an interesting 16- or 32-bit little-endian number. */
export function writeNumber(input: Buffer, at: number, width: 2 | 4, random: Random): Buffer {
  const out = Buffer.from(input);
  if (at < 0 || at + width > out.length) return out;
  const old = out.readUIntLE(at, width);
  const chosen = random.chance(3) ? old + random.pick([-2, -1, 1, 2, 16]) : random.pick(INTERESTING_NUMBERS);
  const limit = 256 ** width;
  out.writeUIntLE(((chosen % limit) + limit) % limit, at, width);
  return out;
}

/** Mutations that know nothing of the format. */
export const BYTE_MUTATIONS: Mutation[] = [
  (input, _, random) => {
    const out = Buffer.from(input);
    for (let count = 1 + random.below(4); count > 0; count--) {
      const at = random.below(out.length);
      if (out.length > 0) out[at] = (out[at] ?? 0) ^ (1 << random.below(8));
    }
    return out;
  },
  (input, _, random) => {
    const out = Buffer.from(input);
    if (out.length > 0) out[random.below(out.length)] = random.pick(INTERESTING_BYTES);
    return out;
  },
  (input, _, random) => writeNumber(input, random.below(input.length), random.pick([2, 4]), random),
  (input, _, random) => input.subarray(0, random.below(input.length + 1)),
  (input, _, random) => input.subarray(random.below(input.length + 1)),
  (input, _, random) =>
    Buffer.concat([
      input,
      random.chance(2) ? Buffer.alloc(random.smallLength(4096)) : random.bytes(random.smallLength(256)),
    ]),
  // Duplicate, delete, insert.
  (input, _, random) => insertAt(input, random.below(input.length + 1), slice(input, random)),
  (input, _, random) => {
    const part = slice(input, random);
    const from = random.below(input.length);
    return Buffer.concat([input.subarray(0, from), input.subarray(from + part.length)]);
  },
  (input, _, random) => insertAt(input, random.below(input.length + 1), random.bytes(random.smallLength(64))),
  // Splice with another input: head of one and tail of the other, or a part in the middle.
  (input, other, random) =>
    Buffer.concat([
      input.subarray(0, random.below(input.length + 1)),
      other.subarray(random.below(other.length + 1)),
    ]),
  (input, other, random) => {
    const out = Buffer.from(input);
    slice(other, random).copy(out, random.below(out.length));
    return out;
  },
  (input, other, random) => insertAt(input, random.below(input.length + 1), slice(other, random)),
];

/** An input that has nothing to do with any format. */
export const randomInput: Mutation = (_, __, random) =>
  random.bytes(random.below(random.chance(4) ? 8192 : 256));
