import { malformed } from './kbs-error.js';

/** Standard base64 with its padding, in its one spelling. @throws SiegelError REQUEST_MALFORMED */
export function base64(text: string, path: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || !isItsSpelling(text, bytes)) throw malformed(`"${path}" is not base64`);
  return bytes;
}

/**
 * Whether standard base64 of the bytes, which were decoded from the text, is that text. A quote is not encoded again for it: Node's
 * decoder skips what it does not know, so that the full number of bytes means that nothing was skipped; it takes base64url as well; and
 * what it ignores stands in the last four characters.
 */
function isItsSpelling(text: string, bytes: Buffer): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0 || bytes.length !== (text.length / 4) * 3 - padding) return false;
  if (text.includes('-') || text.includes('_')) return false;
  return bytes.toString('base64', bytes.length - (3 - padding)) === text.slice(-4);
}
