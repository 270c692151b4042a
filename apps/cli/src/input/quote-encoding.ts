/** How a file carries its bytes. */
export type Encoding = 'binary' | 'hex' | 'base64';

export interface Decoded {
  readonly bytes: Buffer;
  readonly encoding: Encoding;
}

/**
 * The bytes of a file that may be hex or base64 (or base64url) text. A quote begins with bytes that no text has, so a
 * file with any byte outside of text is taken as it is. Hex goes before base64: a base64 text of a kilobyte whose
 * every character happens to be a hex digit does not occur. Text that is neither is taken as it is, too, and its
 * reader says what is wrong with it; nothing is skipped or repaired except white space.
 */
export function decodeEncoding(file: Buffer): Decoded {
  const text = compactText(file);
  if (text === undefined || text === '') return { bytes: file, encoding: 'binary' };
  const digits = text.replace(/^0x/i, '');
  if (digits.length % 2 === 0 && /^[0-9a-f]+$/i.test(digits)) {
    return { bytes: Buffer.from(digits, 'hex'), encoding: 'hex' };
  }
  const bytes = decodeBase64(text);
  if (bytes) return { bytes, encoding: 'base64' };
  return { bytes: file, encoding: 'binary' };
}

/** The file without white space if it is ASCII text, else undefined. */
function compactText(file: Buffer): string | undefined {
  for (const byte of file) {
    const text = (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a || byte === 0x0d;
    if (!text) return undefined;
  }
  return file.toString('latin1').replace(/\s+/g, '');
}

/** Strict base64 or base64url, padded or not; undefined where decoding would have to guess or to skip something. */
function decodeBase64(text: string): Buffer | undefined {
  const body = text.replace(/={1,2}$/, '');
  const padded = body.length !== text.length;
  if (body === '' || body.length % 4 === 1 || (padded && text.length % 4 !== 0)) return undefined;
  const plain = body.replaceAll('-', '+').replaceAll('_', '/');
  if (!/^[A-Za-z0-9+/]+$/.test(plain)) return undefined;
  const bytes = Buffer.from(plain, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === plain ? bytes : undefined;
}
