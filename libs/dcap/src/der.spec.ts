import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  boolean,
  DerReader,
  namedBits,
  oid,
  smallInteger,
  TAG,
  time,
  unsignedBytes,
  wholeBits,
} from './der.js';
import { DcapError } from './error.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const element = (hex: string) => {
  const raw = bytes(hex);
  return DerReader.exactly(raw, raw[0] as number);
};
const refuses = (read: () => unknown): void => {
  expect(read).toThrow(expect.objectContaining({ code: 'DER_INVALID' }));
};

describe('DerReader', () => {
  it('reads nested elements and their raw bytes', () => {
    const outer = DerReader.exactly(bytes('30 06 02 01 05 04 01 ff'), TAG.sequence);
    const inside = DerReader.inside(outer);
    expect(smallInteger(inside.next(TAG.integer), 9)).toBe(5);
    const last = inside.next(TAG.octetString);
    expect([last.raw.toString('hex'), last.value.toString('hex'), last.length]).toEqual(['0401ff', 'ff', 1]);
    inside.end();
    expect(inside.peek()).toBe(-1);
  });

  it.each([
    ['an indefinite length', '30 80 00 00'],
    ['a long form that is not needed', '30 81 01 05'],
    ['a length with a leading zero', `30 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four bytes', '30 84 00 00 00 00'],
    ['a length beyond the input', '30 03 02 01'],
    ['a missing length', '30'],
    ['nothing', ''],
    ['bytes after the element', '30 00 00'],
    ['another tag', '31 00'],
  ])('refuses %s', (_name, hex) => {
    refuses(() => DerReader.exactly(bytes(hex), TAG.sequence));
  });

  it('accepts the long form where it is needed', () => {
    expect(DerReader.exactly(bytes(`30 81 80 ${'00'.repeat(128)}`), TAG.sequence).length).toBe(128);
  });

  it('refuses an element that is longer than its container', () => {
    const outer = DerReader.exactly(bytes('30 04 30 01 04 01'), TAG.sequence);
    refuses(() => DerReader.inside(DerReader.inside(outer).next(TAG.sequence)).next(TAG.octetString));
  });

  it('refuses what is nested too deep', () => {
    let raw = Buffer.from([TAG.octetString, 0]);
    for (let i = 0; i < 40; i++) raw = Buffer.concat([Buffer.from([TAG.sequence, raw.length]), raw]);
    const descend = (): void => {
      let at = DerReader.exactly(raw, TAG.sequence);
      for (;;) at = DerReader.inside(at).next(TAG.sequence);
    };
    refuses(descend);
  });

  it('throws nothing but its own error for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        try {
          const reader = DerReader.inside(DerReader.exactly(Buffer.from(input), TAG.sequence));
          while (!reader.atEnd) reader.next(reader.peek());
        } catch (error) {
          expect(error).toBeInstanceOf(DcapError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('values', () => {
  it.each([
    ['02 01 00', 0],
    ['02 01 7f', 127],
    ['02 02 00 80', 128],
    ['02 03 00 9f b7', 40887],
  ])('integer %s', (hex, value) => {
    expect(smallInteger(element(hex), 0xffff)).toBe(value);
  });

  it.each(['02 00', '02 01 ff', '02 02 00 7f', '02 03 01 00 00', '02 05 01 00 00 00 00'])(
    'refuses integer %s',
    (hex) => {
      refuses(() => smallInteger(element(hex), 0xffff));
    },
  );

  it('drops the sign byte of a large integer', () => {
    expect(unsignedBytes(element('02 03 00 ff 00')).toString('hex')).toBe('ff00');
  });

  it('reads booleans of one encoding only', () => {
    expect([boolean(element('01 01 ff')), boolean(element('01 01 00'))]).toEqual([true, false]);
    refuses(() => boolean(element('01 01 01')));
    refuses(() => boolean(element('01 02 ff ff')));
  });

  it('reads bit strings', () => {
    expect(wholeBits(element('03 02 00 aa')).toString('hex')).toBe('aa');
    refuses(() => wholeBits(element('03 02 01 aa')));
    expect(namedBits(element('03 02 01 06'))).toBe(0x0600);
    expect(namedBits(element('03 02 06 c0'))).toBe(0xc000);
    expect(namedBits(element('03 03 07 00 80'))).toBe(0x0080);
    for (const hex of [
      '03 00',
      '03 01 00',
      '03 02 00 06',
      '03 02 01 07',
      '03 02 08 00',
      '03 02 00 00',
      '03 04 00 00 00 01',
    ]) {
      refuses(() => namedBits(element(hex)));
    }
  });

  it('reads OIDs', () => {
    expect(oid(element('06 0a 2a 86 48 86 f8 4d 01 0d 01 01'))).toBe('1.2.840.113741.1.13.1.1');
    expect(oid(element('06 03 55 04 03'))).toBe('2.5.4.3');
    expect(oid(element('06 03 88 37 03'))).toBe('2.999.3');
    for (const hex of ['06 00', '06 02 2a 80', '06 03 2a 80 01', '06 06 2a ff ff ff ff 7f'])
      refuses(() => oid(element(hex)));
  });
});

describe('time', () => {
  const read = (tag: number, text: string): number => {
    const raw = Buffer.concat([
      Buffer.from([TAG.sequence, text.length + 2, tag, text.length]),
      Buffer.from(text),
    ]);
    return time(DerReader.inside(DerReader.exactly(raw, TAG.sequence)));
  };

  it('reads UTCTime and GeneralizedTime', () => {
    expect(read(TAG.utcTime, '180521104510Z')).toBe(Date.parse('2018-05-21T10:45:10Z'));
    expect(read(TAG.utcTime, '491231235959Z')).toBe(Date.parse('2049-12-31T23:59:59Z'));
    expect(read(TAG.utcTime, '500101000000Z')).toBe(Date.parse('1950-01-01T00:00:00Z'));
    expect(read(TAG.generalizedTime, '20500228000000Z')).toBe(Date.parse('2050-02-28T00:00:00Z'));
    expect(read(TAG.utcTime, '240229000000Z')).toBe(Date.parse('2024-02-29T00:00:00Z'));
  });

  it.each([
    '250229000000Z',
    '250431000000Z',
    '250001000000Z',
    '251301000000Z',
    '250100000000Z',
    '250101240000Z',
    '250101006000Z',
    '250101000060Z',
    '2501010000Z',
    '250101000000+0000',
    '25010100000aZ',
    '250101000000z',
  ])('refuses UTCTime %s', (text) => {
    refuses(() => read(TAG.utcTime, text));
  });

  it.each(['20250101000000.5Z', '18991231235959Z', '2025010100000Z'])(
    'refuses GeneralizedTime %s',
    (text) => {
      refuses(() => read(TAG.generalizedTime, text));
    },
  );

  it('agrees with the calendar on every day of the range', () => {
    const days = fc.integer({ min: Date.UTC(1950, 0, 1) / 1000, max: Date.UTC(2049, 11, 31) / 1000 });
    fc.assert(
      fc.property(days, (seconds) => {
        const text = `${new Date(seconds * 1000).toISOString().replace(/\D/g, '').slice(2, 14)}Z`;
        expect(read(TAG.utcTime, text)).toBe(seconds * 1000);
      }),
    );
  });
});
