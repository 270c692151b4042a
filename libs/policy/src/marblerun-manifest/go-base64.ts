const STANDARD = /[A-Za-z0-9+/]/;
const URL_SAFE = /[A-Za-z0-9_-]/;

/** Go's words for base64 that it cannot read, with the place. */
export class GoBase64Error extends Error {
  override readonly name = 'GoBase64Error';
  constructor(at: number) {
    super(`illegal base64 data at input byte ${at}`);
  }
}

/**
 * Base64 with padding as Go's StdEncoding and URLEncoding read it: line ends do not count, everything else that is not of the alphabet is
 * refused. Go lets unused bits be anything; so does this.
 * @throws GoBase64Error
 */
export function decodeGoBase64(text: string, alphabet: 'standard' | 'url' = 'standard'): Buffer {
  const allowed = alphabet === 'url' ? URL_SAFE : STANDARD;
  const digits: string[] = [];
  let at = 0;
  let inGroup = 0;
  let ended = false;
  for (; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '\n' || char === '\r') continue;
    if (ended) throw new GoBase64Error(at);
    if (char === '=') {
      if (inGroup < 2) throw new GoBase64Error(at);
      if (inGroup === 2) {
        let next = at + 1;
        while (text[next] === '\n' || text[next] === '\r') next++;
        if (text[next] !== '=') throw new GoBase64Error(Math.min(next, text.length));
        at = next;
      }
      ended = true;
      continue;
    }
    if (!allowed.test(char)) throw new GoBase64Error(at);
    digits.push(char);
    inGroup = (inGroup + 1) % 4;
  }
  if (!ended && inGroup !== 0) throw new GoBase64Error(text.length - inGroup);
  return Buffer.from(digits.join(''), alphabet === 'url' ? 'base64url' : 'base64');
}
