import { DcapError } from './error.js';

/** The ASN.1 tags that X.509 needs (X.690 §8). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** [n], constructed. */
  context: (n: number) => 0xa0 | n,
  /** [n], primitive. */
  contextPrimitive: (n: number) => 0x80 | n,
} as const;

/** Certificates and CRLs need at most nine levels. */
const MAX_DEPTH = 12;

/** One element; `raw` with its header, `value` without. Both are views of the input, made when they are asked for. */
export class DerElement {
  constructor(
    readonly tag: number,
    readonly source: Buffer,
    readonly start: number,
    readonly valueStart: number,
    readonly end: number,
    readonly depth: number,
  ) {}

  get raw(): Buffer {
    return this.source.subarray(this.start, this.end);
  }

  get value(): Buffer {
    return this.source.subarray(this.valueStart, this.end);
  }

  /** The number of octets of the value. */
  get length(): number {
    return this.end - this.valueStart;
  }
}

function fail(what: string): never {
  throw new DcapError('DER_INVALID', `DER: ${what}`);
}

/**
 * Reads the elements of one level in order. Strict (X.690 §10): definite minimal lengths, one-byte tags, nothing left
 * over, bounded depth. Throws DcapError DER_INVALID.
 */
export class DerReader {
  private constructor(
    private readonly source: Buffer,
    private at: number,
    private readonly stop: number,
    private readonly depth: number,
  ) {}

  /** Opens an input that is exactly one element with the tag, and returns that element. */
  static exactly(bytes: Buffer, tag: number): DerElement {
    const reader = new DerReader(bytes, 0, bytes.length, 0);
    const element = reader.next(tag);
    reader.end();
    return element;
  }

  /** The elements inside a constructed one, or inside the DER that an OCTET STRING wraps. */
  static inside(element: DerElement): DerReader {
    if (element.depth + 1 >= MAX_DEPTH) fail('nested too deep');
    return new DerReader(element.source, element.valueStart, element.end, element.depth + 1);
  }

  get atEnd(): boolean {
    return this.at === this.stop;
  }

  /** The tag of the next element, or -1 at the end. */
  peek(): number {
    return this.at < this.stop ? (this.source[this.at] as number) : -1;
  }

  next(tag: number): DerElement {
    const { source, at, stop } = this;
    const found = this.peek();
    if (found < 0) fail('an element is missing');
    if (found !== tag) fail(`tag ${found.toString(16)} instead of ${tag.toString(16)}`);
    if (at + 2 > stop) fail('no length');
    let length = source[at + 1] as number;
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0) fail('an indefinite length');
      if (count > 3 || start + count > stop) fail('a length that is too long');
      length = source.readUIntBE(start, count);
      if (length < 0x80 || length < 2 ** (8 * (count - 1))) fail('a length that is not minimal');
      start += count;
    }
    const end = start + length;
    if (end > stop) fail('an element exceeds its container');
    this.at = end;
    return new DerElement(tag, source, at, start, end, this.depth);
  }

  optional(tag: number): DerElement | undefined {
    return this.peek() === tag ? this.next(tag) : undefined;
  }

  sequence(): DerReader {
    return DerReader.inside(this.next(TAG.sequence));
  }

  end(): void {
    if (!this.atEnd) fail('bytes after the last element');
  }
}

/** The content of an INTEGER or ENUMERATED, minimal and not negative, without its sign byte. */
export function unsignedBytes(element: DerElement): Buffer {
  const { value } = element;
  const first = value[0] ?? fail('an empty integer');
  if (first & 0x80) fail('a negative integer');
  if (first !== 0 || value.length === 1) return value;
  if (((value[1] as number) & 0x80) === 0) fail('an integer that is not minimal');
  return value.subarray(1);
}

/** A small INTEGER or ENUMERATED, at most `max` (below 2^32). */
export function smallInteger(element: DerElement, max: number): number {
  const bytes = unsignedBytes(element);
  if (bytes.length > 4) fail('an integer out of range');
  const value = bytes.readUIntBE(0, bytes.length);
  return value <= max ? value : fail('an integer out of range');
}

export function boolean(element: DerElement): boolean {
  if (element.value.length !== 1) fail('a boolean of a wrong length');
  const byte = element.value[0];
  return byte === 0xff || byte === 0 ? byte === 0xff : fail('a boolean that is neither 00 nor FF');
}

/** The octets of a BIT STRING that has no unused bits. */
export function wholeBits(element: DerElement): Buffer {
  if (element.value[0] !== 0) fail('a bit string with unused bits');
  return element.value.subarray(1);
}

/** The bits of a short named-bit list (KeyUsage), bit 0 being the most significant of the first octet. */
export function namedBits(element: DerElement): number {
  const { value } = element;
  const unused = value[0] ?? fail('an empty bit string');
  const last = value[value.length - 1] as number;
  if (unused > 7 || value.length < 2 || value.length > 3) fail('a bit string of a wrong length');
  if ((last & ((1 << unused) - 1)) !== 0 || (last >> unused) % 2 === 0)
    fail('a bit list that is not minimal');
  return ((value[1] as number) << 8) | (value[2] ?? 0);
}

/** Certificates repeat a few dozen OIDs; those that were decoded are kept by their octets. */
const KNOWN_OIDS = new Map<string, string>();
const MAX_KNOWN_OIDS = 256;

/** The dotted form of an OID; arcs are minimal and below 2^31. */
export function oid(element: DerElement): string {
  if (element.length === 0 || element.length > 32) fail('an OID of a wrong length');
  const octets = element.source.toString('latin1', element.valueStart, element.end);
  const known = KNOWN_OIDS.get(octets);
  if (known !== undefined) return known;
  const dotted = decodeOid(element.value);
  if (KNOWN_OIDS.size < MAX_KNOWN_OIDS) KNOWN_OIDS.set(octets, dotted);
  return dotted;
}

function decodeOid(value: Buffer): string {
  const arcs: number[] = [];
  let arc = 0;
  let fresh = true;
  for (const byte of value) {
    if (fresh && byte === 0x80) fail('an OID arc that is not minimal');
    arc = arc * 128 + (byte & 0x7f);
    if (arc > 0x7fffffff) fail('an OID arc out of range');
    fresh = byte < 0x80;
    if (fresh) {
      arcs.push(arc);
      arc = 0;
    }
  }
  if (!fresh) fail('an unfinished OID');
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - 40 * top, ...rest].join('.');
}

/** A time of X.509 (RFC 5280 §4.1.2.5: seconds present, Zulu), in milliseconds since the epoch. */
export function time(reader: DerReader): number {
  const utc = reader.peek() === TAG.utcTime;
  const element = reader.next(utc ? TAG.utcTime : TAG.generalizedTime);
  const text = element.source.toString('latin1', element.valueStart, element.end);
  const yearDigits = utc ? 2 : 4;
  if (text.length !== yearDigits + 11 || !text.endsWith('Z')) fail('a time of a wrong form');
  const shortYear = digits(text, 0, yearDigits);
  const year = utc ? shortYear + (shortYear < 50 ? 2000 : 1900) : shortYear;
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((at) =>
    digits(text, yearDigits + at, 2),
  ) as [number, number, number, number, number];
  const value = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC carries over what is too large: a day that comes out as another is none.
  const carried = new Date(value).getUTCDate() !== day || hour > 23 || minute > 59 || second > 59;
  if (year < 1900 || month < 1 || month > 12 || day < 1 || carried) fail('no such time');
  return value;
}

function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) fail('a time of a wrong form');
    value = 10 * value + digit;
  }
  return value;
}
