/**
 * Writes the few DER types (ITU-T X.690) that certificates, CRLs and Intel's SGX extension are made of.
 * It shares nothing with the reader in libs/dcap, so that each checks the other.
 */

/** One value: identifier octet, definite length in its shortest form, contents. */
export function der(tag: number, ...contents: Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), derLength(body.length), body]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from([0x80 | octets.length, ...octets]);
}

export const sequence = (...items: Uint8Array[]): Buffer => der(0x30, ...items);
export const setOf = (...items: Uint8Array[]): Buffer => der(0x31, ...items);
export const octetString = (bytes: Uint8Array): Buffer => der(0x04, bytes);
export const utf8String = (text: string): Buffer => der(0x0c, Buffer.from(text, 'utf8'));
export const printableString = (text: string): Buffer => der(0x13, Buffer.from(text, 'latin1'));
export const boolean = (value: boolean): Buffer => der(0x01, Buffer.from([value ? 0xff : 0x00]));
/** Constructed context tag `[number]`, EXPLICIT or a constructed IMPLICIT one. */
export const context = (number: number, ...items: Uint8Array[]): Buffer => der(0xa0 | number, ...items);
/** Primitive context tag `[number] IMPLICIT`. */
export const contextPrimitive = (number: number, bytes: Uint8Array): Buffer => der(0x80 | number, bytes);

/** A bit string; `unusedBits` counts the bits at the end that carry no value. */
export const bitString = (bytes: Uint8Array, unusedBits = 0): Buffer =>
  der(0x03, Buffer.from([unusedBits]), bytes);

/** A named bit list (KeyUsage): bit 0 is the first, and DER drops the zeros at the end. */
export function namedBits(...bits: number[]): Buffer {
  const highest = Math.max(...bits);
  const bytes = Buffer.alloc(Math.floor(highest / 8) + 1);
  for (const bit of bits) {
    const at = Math.floor(bit / 8);
    bytes[at] = (bytes[at] ?? 0) | (0x80 >> (bit % 8));
  }
  return bitString(bytes, 7 - (highest % 8));
}

/** Minimal two's complement contents of a non-negative integer given big-endian. */
function unsignedContents(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const trimmed = Buffer.from(bytes.subarray(start));
  return (trimmed[0] ?? 0) & 0x80 || trimmed.length === 0
    ? Buffer.concat([Buffer.from([0]), trimmed])
    : trimmed;
}

function numberOctets(value: number): Buffer {
  const octets: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Buffer.from(octets.length === 0 ? [0] : octets);
}

/** A non-negative INTEGER from big-endian bytes (leading zeros are dropped) or a number. */
export function integer(value: Uint8Array | number): Buffer {
  return der(0x02, unsignedContents(typeof value === 'number' ? numberOctets(value) : value));
}

export const enumerated = (value: number): Buffer => der(0x0a, unsignedContents(numberOctets(value)));

/** An OBJECT IDENTIFIER in dotted form. */
export function oid(dotted: string): Buffer {
  const arcs = dotted.split('.').map(Number);
  const octets: number[] = [];
  [(arcs[0] ?? 0) * 40 + (arcs[1] ?? 0), ...arcs.slice(2)].forEach((arc) => {
    const groups = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      groups.unshift(0x80 | (rest % 128));
    octets.push(...groups);
  });
  return der(0x06, Buffer.from(octets));
}

/** Time of RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050; whole seconds, Z. */
export function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return at.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : der(0x18, Buffer.from(`${digits}Z`));
}

/** PEM (RFC 7468) with lines of 64 characters and a final line end. */
export function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
