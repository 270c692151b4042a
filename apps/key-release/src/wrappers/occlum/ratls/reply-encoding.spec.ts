import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeReply } from '../../../../../../test/occlum/ratls-client.js';
import { exactText } from './reply-encoding.js';

describe('replies of grpc_ratls', () => {
  it('are what the client decodes to exactly the value, without writing beyond its buffer', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 }).filter(({ length }) => length % 3 !== 1);
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeReply(exactText(Buffer.from(value)))).toEqual(Buffer.from(value));
      }),
      { numRuns: 200 },
    );
  });

  it.each([1, 4, 16, 31])('do not exist for %i bytes', (length) => {
    expect(() => exactText(Buffer.alloc(length))).toThrow(RangeError);
  });

  it('are not base64 alone: there the client loses the last byte or writes beyond its buffer', () => {
    expect(decodeReply(Buffer.from('abc').toString('base64')).toString()).toBe('ab');
    expect(() => decodeReply(Buffer.from('ab').toString('base64'))).toThrow(/overflow/);
    // Upstream's own server, for the other lengths: zeros that nobody sent.
    expect(decodeReply(`"${Buffer.from('ab').toString('base64')}"`)).toEqual(Buffer.from('ab\0'));
    expect(decodeReply(`"${Buffer.from('a').toString('base64')}"`)).toEqual(Buffer.from('a\0\0'));
  });
});
