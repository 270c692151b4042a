import { createHash, createHmac, randomBytes } from 'node:crypto';

/**
 * Everything in a simulated PKI that would be random (keys, serial numbers, PPIDs, instance ids) is derived from one
 * seed and a label, so that the same seed makes the same PKI again, whatever the order in which its parts are asked for.
 */
export class SeededBytes {
  private constructor(private readonly key: Buffer) {}

  /** A text or binary seed; without one, 32 random bytes. */
  static from(seed?: string | Uint8Array): SeededBytes {
    if (seed === undefined) return new SeededBytes(randomBytes(32));
    return new SeededBytes(createHash('sha256').update('siegel simulated sgx seed\0').update(seed).digest());
  }

  static fromHex(hex: string): SeededBytes {
    return new SeededBytes(Buffer.from(hex, 'hex'));
  }

  toHex(): string {
    return this.key.toString('hex');
  }

  /** HMAC-SHA-256 in counter mode over the label. */
  bytes(label: string, length: number): Buffer {
    const blocks: Buffer[] = [];
    for (let at = 0; at < length; at += 32)
      blocks.push(
        createHmac('sha256', this.key)
          .update(`${label}\0${at / 32}`)
          .digest(),
      );
    return Buffer.concat(blocks).subarray(0, length);
  }
}
