const MAJOR = { unsigned: 0, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const;

/** Thrown by {@link CborReader}; its callers say in their own words what is malformed. */
export class CborError extends Error {
  override readonly name = 'CborError';
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the items of CBOR (RFC 8949) that tagged evidence consists of, one after the other. Strict: definite lengths,
 * shortest heads (§4.2.1), nothing beyond the input, valid UTF-8. It builds no tree, so nesting costs nothing: the
 * caller asks for what its format has at each place.
 */
export class CborReader {
  private at = 0;

  constructor(private readonly input: Buffer) {}

  get atEnd(): boolean {
    return this.at === this.input.length;
  }

  unsigned(max: number): number {
    return this.head(MAJOR.unsigned, max);
  }

  /** A view of the input. */
  bytes(max: number): Buffer {
    return this.take(this.head(MAJOR.bytes, max));
  }

  text(maxBytes: number): string {
    try {
      return utf8.decode(this.take(this.head(MAJOR.text, maxBytes)));
    } catch (error) {
      if (error instanceof CborError) throw error;
      throw new CborError('a text is not UTF-8');
    }
  }

  /** Gives the number of items that follow. */
  array(max: number): number {
    return this.head(MAJOR.array, max);
  }

  /** Gives the number of pairs that follow. */
  map(max: number): number {
    return this.head(MAJOR.map, max);
  }

  tag(): number {
    return this.head(MAJOR.tag, 0xffff_ffff);
  }

  end(): void {
    if (!this.atEnd) throw new CborError('bytes follow the last item');
  }

  private head(major: number, max: number): number {
    const first = this.take(1)[0] as number;
    if (first >> 5 !== major) throw new CborError(`major type ${first >> 5} instead of ${major}`);
    const info = first & 0x1f;
    // 24 to 26: the value is in the next 1, 2 or 4 bytes; 27 (8 bytes) is beyond every bound here, 31 is indefinite.
    if (info > 26) throw new CborError('a length that is indefinite or out of range');
    const size = info < 24 ? 0 : 1 << (info - 24);
    const value = size === 0 ? info : this.take(size).readUIntBE(0, size);
    const smallest = size === 0 ? 0 : size === 1 ? 24 : 2 ** (4 * size);
    if (value < smallest) throw new CborError('a head that is not the shortest');
    if (value > max) throw new CborError(`${value} exceeds ${max}`);
    return value;
  }

  private take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.input.length) throw new CborError('an item exceeds its container');
    const part = this.input.subarray(this.at, end);
    this.at = end;
    return part;
  }
}
