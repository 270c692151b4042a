import { createHash } from 'node:crypto';

/** A reproducible source of random numbers (sfc32), seeded by text. Fast, and not for cryptography. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: string) {
    const digest = createHash('sha256').update(seed).digest();
    [this.a, this.b, this.c] = [digest.readInt32LE(0), digest.readInt32LE(4), digest.readInt32LE(8)];
    for (let round = 0; round < 12; round++) this.next();
  }

  /** 32 bits, unsigned. */
  next(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `limit` − 1; 0 where the limit is not positive. */
  below(limit: number): number {
    return limit > 0 ? this.next() % limit : 0;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Buffer {
    const out = Buffer.alloc(length);
    for (let at = 0; at < length; at++) out[at] = this.next() >>> 24;
    return out;
  }

  /** A length that is mostly small. */
  smallLength(max: number): number {
    return 1 + this.below(Math.max(1, Math.min(max, 1 << this.below(12))));
  }
}
