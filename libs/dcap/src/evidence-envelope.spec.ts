import { describe, expect, it } from '@jest/globals';
import { hasOpenEnclaveHeader, stripOpenEnclaveHeader } from './evidence-envelope.js';

const quote = Buffer.from([3, 0, 2, 0, 9, 9]);

function wrapped(length: number, tail: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.from('01000000020000000000000000000000', 'hex');
  header.writeUInt32LE(length, 8);
  return Buffer.concat([header, quote, tail]);
}

describe('stripOpenEnclaveHeader', () => {
  it('leaves evidence without the header as it is', () => {
    expect(stripOpenEnclaveHeader(quote)).toBe(quote);
    expect(hasOpenEnclaveHeader(quote)).toBe(false);
    expect(hasOpenEnclaveHeader(Buffer.from('01000000030000000600000000000000', 'hex'))).toBe(false);
  });

  it('removes the header', () => {
    expect(stripOpenEnclaveHeader(wrapped(quote.length))).toEqual(quote);
  });

  it('leaves padding for the parser of the quote', () => {
    expect(stripOpenEnclaveHeader(wrapped(quote.length, Buffer.alloc(3)))).toEqual(
      Buffer.concat([quote, Buffer.alloc(3)]),
    );
  });

  it.each([
    ['a length beyond the evidence', wrapped(quote.length + 1)],
    ['bytes after what it covers', wrapped(quote.length, Buffer.from([1]))],
    ['a length that cuts the quote', wrapped(quote.length - 1)],
    ['a length of 64 bits', Buffer.from('0100000002000000ffffffffffffffff', 'hex')],
  ])('refuses %s', (_name, evidence) => {
    expect(() => stripOpenEnclaveHeader(evidence)).toThrow(
      expect.objectContaining({ code: 'OE_HEADER_INVALID' }),
    );
  });
});
