import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { base64 } from './base64.js';

const refused = expect.objectContaining({ code: 'REQUEST_MALFORMED' });

/** The rule itself: what is decoded is written the same way. */
const isOneSpelling = (text: string): boolean => {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text;
};

const read = (text: string): Buffer | undefined => {
  try {
    return base64(text, 'quote');
  } catch (error) {
    expect(error).toEqual(refused);
    return undefined;
  }
};

describe('base64', () => {
  it.each(['AA==', 'AAA=', 'AAAA', '+/+/', 'AAAAAA=='])('takes %s', (text) => {
    expect(base64(text, 'quote').toString('base64')).toBe(text);
  });

  it.each([
    ['nothing', ''],
    ['no padding', 'AAAAAA'],
    ['padding alone', '===='],
    ['too much padding', 'A==='],
    ['padding in the middle', 'AA==AAAA'],
    ['bits behind the end', 'AB=='],
    ['bits behind the end of two bytes', 'AAB='],
    ['the other alphabet', 'AA-_'],
    ['a line break', 'AAAA\nAAA'],
    ['a space for a character', 'AAAA AAA'],
    ['what is no Latin letter', 'AAAAАAAA'],
    ['a NUL', 'AAAA\0AAA'],
  ])('refuses %s', (_what, text) => {
    expect(() => base64(text, 'quote')).toThrow(refused);
  });

  it('takes exactly what would be written the same way', () => {
    const spelling = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => {
      return Buffer.from(bytes).toString('base64');
    });
    const spoilt = fc
      .tuple(spelling, fc.nat(), fc.constantFrom('', '=', '-', '_', ' ', '\n', 'B', 'é', '€', '=='))
      .map(([text, at, put]) => {
        const place = at % text.length;
        return text.slice(0, place) + put + text.slice(place + 1);
      });
    fc.assert(
      fc.property(fc.oneof(spelling, spoilt, fc.string({ maxLength: 12 })), (text) => {
        const bytes = read(text);
        expect(bytes !== undefined).toBe(isOneSpelling(text));
        if (bytes) expect(bytes).toEqual(Buffer.from(text, 'base64'));
      }),
      { numRuns: 200 },
    );
  });
});
