import { randomBytes } from 'node:crypto';

/**
 * A positive number of exactly 16 octets with 126 random bits: the top bit stays clear (no sign octet, RFC 5280
 * §4.1.2.2 allows 20), the next one is set so that the length never varies.
 */
export function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
