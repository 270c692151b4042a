import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeEncoding } from './quote-encoding.js';

/** As every quote begins: version 3, key type 2, so that no encoding of text is meant. */
const quote = Buffer.concat([Buffer.from('0300020000000000', 'hex'), Buffer.alloc(1_100, 0xfb)]);

describe('decodeEncoding', () => {
  it.each([
    ['hex', quote.toString('hex'), 'hex'],
    ['upper-case hex', quote.toString('hex').toUpperCase(), 'hex'],
    ['hex with 0x', `0x${quote.toString('hex')}`, 'hex'],
    ['hex in lines, as xxd -p writes it', quote.toString('hex').replace(/.{60}/g, '$&\n'), 'hex'],
    ['base64', quote.toString('base64'), 'base64'],
    ['base64 in lines', quote.toString('base64').replace(/.{76}/g, '$&\r\n'), 'base64'],
    ['base64url without padding', quote.toString('base64url'), 'base64'],
  ])('reads %s', (_name, text, encoding) => {
    expect(decodeEncoding(Buffer.from(text))).toEqual({ bytes: quote, encoding });
  });

  it('takes binary as it is', () => {
    expect(decodeEncoding(quote)).toEqual({ bytes: quote, encoding: 'binary' });
    expect(decodeEncoding(Buffer.alloc(0)).encoding).toBe('binary');
  });

  it.each([
    ['hex of odd length', 'abc01'],
    ['base64 with a character of another alphabet', 'AwACAAAA*AAA'],
    ['base64 of an impossible length', 'AAAAA'],
    ['base64 with wrong padding', 'AAA=='],
    ['base64 whose unused bits are not zero', 'AB=='],
  ])('does not repair %s', (_name, text) => {
    expect(decodeEncoding(Buffer.from(text))).toEqual({ bytes: Buffer.from(text), encoding: 'binary' });
  });

  it('gives back any bytes that were encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        expect(decodeEncoding(Buffer.from(Buffer.from(bytes).toString('hex'))).bytes).toEqual(
          Buffer.from(bytes),
        );
      }),
    );
  });
});
