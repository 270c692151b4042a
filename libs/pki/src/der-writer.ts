import { asBuffer } from './base64url.js';

/**
 * A writer for the few DER types that a certificate needs (ITU-T X.690 §8, §10). It builds from the inside out:
 * each function returns one finished element.
 */

const EMPTY = Buffer.alloc(0);

/** One element: identifier octet, definite minimal length, content. */
export function derElement(tag: number, ...content: Uint8Array[]): Buffer {
  let length = 0;
  for (const part of content) length += part.length;
  const header = length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5;
  if (length > 0xffffff) throw new RangeError('a DER element of more than 16 MiB is not written');
  const out = Buffer.allocUnsafe(header + length);
  out[0] = tag;
  if (header === 2) out[1] = length;
  else {
    out[1] = 0x80 | (header - 2);
    out.writeUIntBE(length, 2, header - 2);
  }
  let at = header;
  for (const part of content) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const derSequence = (...content: Uint8Array[]): Buffer => derElement(0x30, ...content);
export const derSet = (content: Uint8Array): Buffer => derElement(0x31, content);
export const derOctetString = (content: Uint8Array): Buffer => derElement(0x04, content);
export const derUtf8String = (text: string): Buffer => derElement(0x0c, Buffer.from(text, 'utf8'));
export const derTrue = Buffer.from([0x01, 0x01, 0xff]);
export const derNull = Buffer.from([0x05, 0x00]);

/** Context-specific [n], constructed (EXPLICIT) or primitive (IMPLICIT of a primitive type); n below 31. */
export const derExplicit = (n: number, content: Uint8Array): Buffer => derElement(0xa0 | n, content);
export const derImplicit = (n: number, content: Uint8Array): Buffer => derElement(0x80 | n, content);

/** BIT STRING; `unusedBits` (0–7) of the last octet must already be zero there. */
export function derBitString(content: Uint8Array, unusedBits = 0): Buffer {
  return derElement(0x03, Buffer.of(unusedBits), content);
}

/** INTEGER from the unsigned big-endian magnitude; leading zeros are dropped, a sign octet is added where needed. */
export function derUnsigned(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const digits = magnitude.length === 0 ? Buffer.of(0) : asBuffer(magnitude).subarray(start);
  return derElement(0x02, (digits[0] ?? 0) >= 0x80 ? Buffer.of(0) : EMPTY, digits);
}

/** OBJECT IDENTIFIER from its dotted form; arcs below 2^31. */
export function derOid(dotted: string): Buffer {
  const arcs = dotted.split('.').map(Number);
  const [first = 0, second = 0, ...rest] = arcs;
  const octets: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift(0x80 | (left & 0x7f));
    octets.push(...groups);
  }
  return derElement(0x06, Buffer.from(octets));
}

/**
 * Time of a certificate (RFC 5280 §4.1.2.5): UTCTime for 1950–2049, GeneralizedTime from 2050 on, whole seconds.
 */
export function derTime(date: Date): Buffer {
  const digits = date.toISOString().slice(0, 19).replace(/[-T:]/g, '');
  const year = date.getUTCFullYear();
  if (year < 1950 || year > 9999) throw new RangeError('a certificate time is between 1950 and 9999');
  return year < 2050
    ? derElement(0x17, Buffer.from(`${digits.slice(2)}Z`, 'latin1'))
    : derElement(0x18, Buffer.from(`${digits}Z`, 'latin1'));
}
