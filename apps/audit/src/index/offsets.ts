/** Events of a segment at most: an offset has 16 bits. */
export const MAX_SEGMENT = 65_536;
const WORDS = MAX_SEGMENT / 32;
/** Offsets above which a bitmap is smaller than a list of them. */
export const MAX_LISTED = 4_096;
/** A list that is so many times longer than the other is searched instead of walked. */
const SEARCHED_ABOVE = 16;

/** A set of offsets in a segment: ascending, or one bit for each offset that the segment can have. */
export type Offsets = { readonly list: ArrayLike<number> } | { readonly bits: Uint32Array };

export const NOTHING: Offsets = { list: [] };

const FIRST_ROOM = 4;

/** A set that grows at its end. */
export class GrowingOffsets {
  #list: Uint16Array | undefined = new Uint16Array(FIRST_ROOM);
  #bits: Uint32Array | undefined;
  #count = 0;
  #last = -1;

  /** Adds an offset that is not below the last one; the last one again changes nothing. */
  add(offset: number): void {
    if (offset === this.#last) return;
    this.#last = offset;
    if (!this.#bits && this.#count === MAX_LISTED) {
      this.#bits = bitsOf({ list: this.#list! });
      this.#list = undefined;
    }
    if (this.#bits) this.#bits[offset >>> 5]! |= 1 << (offset & 31);
    else {
      if (this.#count === this.#list!.length) {
        const longer = new Uint16Array(this.#count * 2);
        longer.set(this.#list!);
        this.#list = longer;
      }
      this.#list![this.#count++] = offset;
    }
  }

  get offsets(): Offsets {
    return this.#bits ? { bits: this.#bits } : { list: this.#list!.subarray(0, this.#count) };
  }

  get last(): number {
    return this.#last;
  }
}

/** As a bitmap; one of its own where the set is a list. */
export function bitsOf(offsets: Offsets): Uint32Array {
  if ('bits' in offsets) return offsets.bits;
  const bits = new Uint32Array(WORDS);
  const { list } = offsets;
  for (let i = 0; i < list.length; i++) bits[list[i]! >>> 5]! |= 1 << (list[i]! & 31);
  return bits;
}

const hasBit = (bits: Uint32Array, offset: number): boolean =>
  ((bits[offset >>> 5]! >>> (offset & 31)) & 1) === 1;

/** What both have. */
export function intersect(a: Offsets, b: Offsets): Offsets {
  if ('bits' in a) {
    if (!('bits' in b)) return intersect(b, a);
    const bits = new Uint32Array(WORDS);
    for (let i = 0; i < WORDS; i++) bits[i] = a.bits[i]! & b.bits[i]!;
    return { bits };
  }
  const list: number[] = [];
  if ('bits' in b) {
    for (let i = 0; i < a.list.length; i++) if (hasBit(b.bits, a.list[i]!)) list.push(a.list[i]!);
    return { list };
  }
  const [short, long] = a.list.length <= b.list.length ? [a.list, b.list] : [b.list, a.list];
  const searched = long.length > short.length * SEARCHED_ABOVE;
  for (let i = 0, at = 0; i < short.length; i++) {
    const offset = short[i]!;
    if (searched) at = firstAtOrAbove(long, offset, at);
    else while (at < long.length && long[at]! < offset) at++;
    if (at === long.length) break;
    if (long[at] === offset) list.push(offset);
  }
  return { list };
}

/** What any of them has. */
export function unite(sets: readonly Offsets[]): Offsets {
  if (sets.length < 2) return sets[0] ?? NOTHING;
  const bits = new Uint32Array(WORDS);
  for (const set of sets) {
    if ('bits' in set) for (let i = 0; i < WORDS; i++) bits[i]! |= set.bits[i]!;
    else for (let i = 0; i < set.list.length; i++) bits[set.list[i]! >>> 5]! |= 1 << (set.list[i]! & 31);
  }
  return { bits };
}

/** How many there are from `from` to before `to`. */
export function countWithin(offsets: Offsets, from: number, to: number): number {
  if (from >= to) return 0;
  if ('list' in offsets) return firstAtOrAbove(offsets.list, to, 0) - firstAtOrAbove(offsets.list, from, 0);
  const { bits } = offsets;
  let count = 0;
  const [first, last] = [from >>> 5, (to - 1) >>> 5];
  for (let i = first; i <= last; i++) count += ones(within(bits, i, from, to));
  return count;
}

/** How many the bitmap and the set have in common, from `from` to before `to`. */
export function countCommon(bits: Uint32Array, offsets: Offsets, from: number, to: number): number {
  if (from >= to) return 0;
  let count = 0;
  if ('list' in offsets) {
    const { list } = offsets;
    for (let i = firstAtOrAbove(list, from, 0); i < list.length && list[i]! < to; i++)
      count += (bits[list[i]! >>> 5]! >>> (list[i]! & 31)) & 1;
    return count;
  }
  const [first, last] = [from >>> 5, (to - 1) >>> 5];
  for (let i = first; i <= last; i++) count += ones(within(bits, i, from, to) & offsets.bits[i]!);
  return count;
}

/** The offsets from `from` to before `to`, from one end or the other. */
export function* walk(
  offsets: Offsets,
  from: number,
  to: number,
  order: 'newest' | 'oldest',
): Generator<number, void, undefined> {
  if (from >= to) return;
  if ('list' in offsets) {
    const { list } = offsets;
    const [low, high] = [firstAtOrAbove(list, from, 0), firstAtOrAbove(list, to, 0)];
    if (order === 'oldest') for (let i = low; i < high; i++) yield list[i]!;
    else for (let i = high - 1; i >= low; i--) yield list[i]!;
    return;
  }
  const { bits } = offsets;
  const [first, last] = [from >>> 5, (to - 1) >>> 5];
  if (order === 'oldest') {
    for (let i = first; i <= last; i++)
      for (let word = within(bits, i, from, to); word !== 0; word &= word - 1)
        yield i * 32 + 31 - Math.clz32(word & -word);
  } else {
    for (let i = last; i >= first; i--)
      for (let word = within(bits, i, from, to); word !== 0;) {
        const bit = 31 - Math.clz32(word);
        yield i * 32 + bit;
        word &= ~(1 << bit);
      }
  }
}

/** A word of the bitmap without the bits below `from` and from `to` on. */
function within(bits: Uint32Array, index: number, from: number, to: number): number {
  let word = bits[index]!;
  const start = index * 32;
  if (from > start) word &= -1 << (from - start);
  if (to < start + 32) word &= (1 << (to - start)) - 1;
  return word;
}

function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Index of the first element that is not below `offset`, looked for from `low` on. */
function firstAtOrAbove(list: ArrayLike<number>, offset: number, low: number): number {
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
