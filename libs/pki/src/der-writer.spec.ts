import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  derBitString,
  derElement,
  derExplicit,
  derImplicit,
  derOid,
  derSequence,
  derTime,
  derUnsigned,
  derUtf8String,
} from './der-writer.js';

/** An independent reader: identifier octet, content, whether the length was minimal. */
function read(der: Buffer): { tag: number; content: Buffer; minimal: boolean; rest: number } {
  const first = der[1] ?? 0;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const length = octets === 0 ? first : der.readUIntBE(2, octets);
  const needed = length < 0x80 ? 0 : Math.ceil(length.toString(16).length / 2);
  const content = der.subarray(2 + octets, 2 + octets + length);
  return { tag: der[0] ?? 0, content, minimal: octets === needed, rest: der.length - 2 - octets - length };
}

describe('DER writer', () => {
  it('writes any content with its definite, minimal length', () => {
    const sizes = fc.oneof(fc.nat(300), fc.constantFrom(127, 128, 255, 256, 65_535, 65_536, 70_000));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), sizes, fc.nat(255), (tag, size, fill) => {
        const content = Buffer.alloc(size, fill);
        const { content: got, ...form } = read(derElement(tag, content));
        expect(form).toEqual({ tag, minimal: true, rest: 0 });
        expect(got.equals(content)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses elements beyond its length form', () => {
    expect(() => derElement(4, Buffer.alloc(0x1000000))).toThrow(RangeError);
  });

  it('writes unsigned integers of the same value, minimal and never negative', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (magnitude) => {
        const { tag, content } = read(derUnsigned(magnitude));
        expect(tag).toBe(2);
        expect(BigInt(`0x0${content.toString('hex')}`)).toBe(
          BigInt(`0x0${Buffer.from(magnitude).toString('hex')}`),
        );
        expect(content.length).toBeGreaterThan(0);
        expect(content.readInt8(0)).toBeGreaterThanOrEqual(0);
        if (content.length > 1 && content[0] === 0) expect(content[1]).toBeGreaterThanOrEqual(0x80);
      }),
    );
  });

  it('writes object identifiers that decode to the same arcs', () => {
    const arcs = fc.tuple(
      fc.constantFrom(0, 1, 2),
      fc.nat(39),
      fc.array(fc.oneof(fc.nat(200), fc.nat(0x7fffffff)), { maxLength: 10 }),
    );
    fc.assert(
      fc.property(arcs, ([root, second, rest]) => {
        const { tag, content } = read(derOid([root, second, ...rest].join('.')));
        expect(tag).toBe(6);
        const decoded: number[] = [];
        let arc = 0;
        let fresh = true;
        for (const octet of content) {
          // A leading 0x80 would be padding, which DER forbids.
          if (fresh) expect(octet).not.toBe(0x80);
          arc = arc * 128 + (octet & 0x7f);
          fresh = octet < 0x80;
          if (fresh) {
            decoded.push(arc);
            arc = 0;
          }
        }
        const [joint = 0, ...others] = decoded;
        const top = Math.min(2, Math.floor(joint / 40));
        expect([top, joint - 40 * top, ...others]).toEqual([root, second, ...rest]);
      }),
    );
  });

  it('knows the encodings of well-known identifiers', () => {
    expect(derOid('1.2.840.113549.1.1.1').toString('hex')).toBe('06092a864886f70d010101');
    expect(derOid('2.5.29.17').toString('hex')).toBe('0603551d11');
    expect(derOid('2.999.3').toString('hex')).toBe('0603883703');
  });

  it('writes UTCTime before 2050 and GeneralizedTime from then on', () => {
    expect(derTime(new Date('2049-12-31T23:59:59.900Z')).toString('latin1')).toBe('\x17\x0d491231235959Z');
    expect(derTime(new Date('2050-01-01T00:00:00Z')).toString('latin1')).toBe('\x18\x0f20500101000000Z');
    expect(() => derTime(new Date('1949-12-31T23:59:59Z'))).toThrow(RangeError);
    expect(() => derTime(new Date(NaN))).toThrow(RangeError);
  });

  it('nests and tags', () => {
    expect(
      derSequence(derUtf8String('ü'), derExplicit(3, derImplicit(0, Buffer.of(7)))).toString('hex'),
    ).toBe('30090c02c3bca303800107');
    expect(derBitString(Buffer.of(0x80), 7).toString('hex')).toBe('03020780');
  });
});
