/** What is remembered of a set between two runs; `bits` is base64, least significant bit first, from `floor + 1` on. */
export interface NumberSetState {
  floor: number;
  bits: string;
}

/**
 * Numbers from 1 on: none below `floor` is told apart any more, each one above has a bit. It costs what lies between the floor and
 * the highest number, so whoever knows that the lower ones are settled raises the floor.
 */
export class NumberSet {
  #words = new Uint32Array(8);
  /** Number of the first bit, a multiple of 32. */
  #start: number;
  #floor: number;
  #highest: number;

  constructor(floor = 0) {
    this.#floor = floor;
    this.#highest = floor;
    this.#start = floor & ~31;
  }

  static from({ floor, bits }: NumberSetState): NumberSet {
    const set = new NumberSet(floor);
    Buffer.from(bits, 'base64').forEach((byte, i) => {
      for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) set.add(floor + 1 + i * 8 + bit);
    });
    return set;
  }

  get state(): NumberSetState {
    const bytes = Buffer.alloc(Math.ceil((this.#highest - this.#floor) / 8));
    for (let n = this.#floor + 1; n <= this.#highest; n++) {
      const i = n - this.#floor - 1;
      if (this.has(n)) bytes[i >>> 3]! |= 1 << (i & 7);
    }
    return { floor: this.#floor, bits: bytes.toString('base64') };
  }

  get floor(): number {
    return this.#floor;
  }

  get highest(): number {
    return this.#highest;
  }

  /** Whether a number above the floor is there. */
  has(n: number): boolean {
    return n > this.#floor && n <= this.#highest && (this.#words[(n - this.#start) >>> 5]! & bitOf(n)) !== 0;
  }

  /** Adds a number above the floor; false if it was there. */
  add(n: number): boolean {
    if (this.has(n)) return false;
    const word = (n - this.#start) >>> 5;
    if (word >= this.#words.length) {
      const grown = new Uint32Array(Math.max(word + 1, this.#words.length * 2));
      grown.set(this.#words);
      this.#words = grown;
    }
    this.#words[word]! |= bitOf(n);
    this.#highest = Math.max(this.#highest, n);
    return true;
  }

  /** Forgets everything up to `floor`. */
  raise(floor: number): void {
    if (floor <= this.#floor) return;
    this.#floor = floor;
    this.#highest = Math.max(this.#highest, floor);
    const start = floor & ~31;
    const kept = this.#words.slice((start - this.#start) >>> 5);
    this.#words = kept.length >= 8 ? kept : new Uint32Array(8);
    if (kept.length < 8) this.#words.set(kept);
    this.#start = start;
  }

  /** The numbers above the floor and below `end` that are not there, as ranges. */
  *gaps(end: number): Generator<{ from: number; to: number }> {
    let from = 0;
    for (let n = this.#floor + 1; n < end; n++) {
      if (!this.has(n)) {
        if (from === 0) from = n;
      } else if (from > 0) {
        yield { from, to: n - 1 };
        from = 0;
      }
    }
    if (from > 0) yield { from, to: end - 1 };
  }
}

const bitOf = (n: number): number => 1 << (n & 31);
