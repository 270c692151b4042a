import { describe, expect, it } from '@jest/globals';
import { parseIsoTime } from './iso-time.js';

describe('parseIsoTime', () => {
  it.each([
    ['2025-09-08T05:50:18Z', '2025-09-08T05:50:18.000Z'],
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000Z'],
    ['2025-09-08T05:50:18.999Z', '2025-09-08T05:50:18.999Z'],
    ['2025-09-08T07:50:18+02:00', '2025-09-08T05:50:18.000Z'],
    ['2025-09-07T22:20:18-07:30', '2025-09-08T05:50:18.000Z'],
  ])('reads %s', (text, expected) => {
    expect(parseIsoTime(text, '--at').toISOString()).toBe(expected);
  });

  it.each([
    '2025-09-08',
    '2025-09-08T05:50:18',
    '2025-02-29T00:00:00Z',
    '2025-13-01T00:00:00Z',
    '2025-01-01T24:00:00Z',
    '2025-01-01T00:60:00Z',
    '2025-01-01T00:00:00+24:00',
    '2025-1-1T0:0:0Z',
    '1757310618',
    'now',
    '',
  ])('refuses "%s"', (text) => {
    expect(() => parseIsoTime(text, '--at')).toThrow(
      expect.objectContaining({ code: 'TIME_INVALID', exit: 2 }),
    );
  });
});
