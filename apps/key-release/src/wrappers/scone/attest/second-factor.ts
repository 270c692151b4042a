import { createHmac, timingSafeEqual } from 'node:crypto';

const STEP_SECONDS = 30;
const DIGITS = 6;
/** 128 bits, the least that the language takes. */
const MIN_SECRET_BYTES = 16;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The step of a one-time password (RFC 6238: SHA-1, 6 digits, 30 s), this one or a neighbour; undefined where it is none of theirs. */
export function oneTimeStep(sharedSecret: string, given: string, now: Date): number | undefined {
  const secret = fromBase32(sharedSecret);
  if (secret === undefined || secret.length < MIN_SECRET_BYTES || !/^[0-9]{6}$/.test(given)) return undefined;
  const current = Math.floor(now.getTime() / 1_000 / STEP_SECONDS);
  let found: number | undefined;
  // All are compared, so that the time taken does not say which it was.
  for (const step of [Math.max(0, current - 1), current, current + 1])
    if (timingSafeEqual(Buffer.from(passwordAt(secret, step)), Buffer.from(given))) found = step;
  return found;
}

/** RFC 4226 §5.3. */
export function passwordAt(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const offset = digest[19]! & 0x0f;
  const value = digest.readUInt32BE(offset) & 0x7fffffff;
  return String(value % 10 ** DIGITS).padStart(DIGITS, '0');
}

export function sameToken(expected: string, given: string): boolean {
  const [a, b] = [expected, given].map((text) => createHmac('sha256', 'siegel scone').update(text).digest());
  return timingSafeEqual(a!, b!);
}

export function fromBase32(text: string): Buffer | undefined {
  const plain = text.replace(/=+$/, '').toUpperCase();
  if (!/^[A-Z2-7]*$/.test(plain)) return undefined;
  const bytes: number[] = [];
  let value = 0;
  let bits = 0;
  for (const character of plain) {
    value = ((value << 5) | ALPHABET.indexOf(character)) & 0xffff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >>> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}
