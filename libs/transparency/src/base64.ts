import { TransparencyError } from './error.js';

/**
 * Decodes standard Base64 (RFC 4648 section 4) and refuses every non-canonical spelling: missing padding, the URL
 * alphabet, white space, and non-zero trailing bits. Two spellings of one value would let a checkpoint be altered
 * without its signature noticing (the signature line itself is not signed).
 * @param text at most `maxChars` characters
 * @throws TransparencyError BASE64_MALFORMED
 */
export function decodeBase64(text: string, maxChars = 8192): Buffer {
  if (text.length > maxChars)
    throw new TransparencyError('BASE64_MALFORMED', `base64 longer than ${maxChars} characters`);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    throw new TransparencyError('BASE64_MALFORMED', 'base64 is not in its canonical standard form');
  }
  return bytes;
}

/** Like {@link decodeBase64}, and the result must have exactly `length` bytes; undefined instead of an error. */
export function decodeBase64Exactly(text: string, length: number): Buffer | undefined {
  if (text.length !== Math.ceil(length / 3) * 4) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? bytes : undefined;
}

/** Reads an ASCII decimal without sign or leading zeroes, at most 2^53-1; undefined if `text` is anything else. */
export function parseDecimal(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
