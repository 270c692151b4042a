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

/** One element: `raw` with its header, `value` without. Both are views of the input. */
export interface DerElement {
  readonly tag: number;
  readonly raw: Buffer;
  readonly value: Buffer;
  readonly depth: number;
}

function fail(what: string): never {
  throw new DcapError('DER_INVALID', `DER: ${what}`);
}

/**
 * Reads the elements of one level in order. Strict (X.690 §10): definite minimal lengths, one-byte tags, nothing left
 * over, bounded depth. Throws DcapError DER_INVALID.
 */
export class DerReader {
  private at = 0;

  private constructor(
    private readonly bytes: Buffer,
    private readonly depth: number,
  ) {}

  /** Opens an input that is exactly one element with the tag, and returns that element. */
  static only(bytes: Buffer, tag: number): DerElement {
    const reader = new DerReader(bytes, 0);
    const element = reader.next(tag);
    reader.end();
    return element;
  }

  /** The elements inside a constructed one, or inside the DER that an OCTET STRING wraps. */
  static inside(element: DerElement): DerReader {
    if (element.depth + 1 >= MAX_DEPTH) fail('nested too deep');
    return new DerReader(element.value, element.depth + 1);
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** The tag of the next element, or -1 at the end. */
  peek(): number {
    return this.bytes[this.at] ?? -1;
  }

  next(tag: number): DerElement {
    const { bytes, at } = this;
    if (at >= bytes.length) fail('an element is missing');
    if (bytes[at] !== tag) fail(`tag ${bytes[at]?.toString(16)} instead of ${tag.toString(16)}`);
    let length = bytes[at + 1] ?? fail('no length');
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0) fail('an indefinite length');
      if (count > 3 || start + count > bytes.length) fail('a length that is too long');
      length = bytes.readUIntBE(start, count);
      if (length < 0x80 || length < 2 ** (8 * (count - 1))) fail('a length that is not minimal');
      start += count;
    }
    const end = start + length;
    if (end > bytes.length) fail('an element exceeds its container');
    this.at = end;
    return { tag, raw: bytes.subarray(at, end), value: bytes.subarray(start, end), depth: this.depth };
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

/** The dotted form of an OID; arcs are minimal and below 2^31. */
export function oid(element: DerElement): string {
  const { value } = element;
  if (value.length === 0 || value.length > 32) fail('an OID of a wrong length');
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

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** A time of X.509 (RFC 5280 §4.1.2.5: seconds present, Zulu), in milliseconds since the epoch. */
export function time(reader: DerReader): number {
  const utc = reader.peek() === TAG.utcTime;
  const text = reader.next(utc ? TAG.utcTime : TAG.generalizedTime).value.toString('latin1');
  const found = (utc ? UTC_TIME : GENERALIZED_TIME).exec(text) ?? fail('a time of a wrong form');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number);
  const fullYear = utc ? year + (year < 50 ? 2000 : 1900) : year;
  const value = Date.UTC(fullYear, month - 1, day, hour, minute, second);
  const digits = new Date(value).toISOString().replace(/\D/g, '').slice(0, 14);
  if (fullYear < 1900 || digits !== (utc ? String(fullYear) + text.slice(2, 12) : text.slice(0, 14)))
    fail('no such time');
  return value;
}
