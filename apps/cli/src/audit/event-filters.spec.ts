import { describe, expect, it } from '@jest/globals';
import { filterParameters, parseLimit, queryParameters } from './event-filters.js';

const NOW = new Date('2026-05-04T12:00:00Z');

describe('queryParameters', () => {
  it.each([
    ['30s', '2026-05-04T11:59:30.000Z'],
    ['15m', '2026-05-04T11:45:00.000Z'],
    ['2h', '2026-05-04T10:00:00.000Z'],
    ['7d', '2026-04-27T12:00:00.000Z'],
    ['2026-05-01T00:00:00+02:00', '2026-04-30T22:00:00.000Z'],
  ])('reads --since %s', (since, from) => {
    expect(queryParameters({ since }, NOW).get('from')).toBe(from);
  });

  it('escapes values and leaves out what is not asked for', () => {
    const parameters = queryParameters({ workload: 'a&b=c', tcbStatus: 'OutOfDate', oldest: true }, NOW);
    expect(parameters.toString()).toBe('workload=a%26b%3Dc&tcbStatus=OutOfDate&order=oldest');
  });

  it('passes on every filter, and fields as often as they are given', () => {
    const parameters = filterParameters({
      mrsigner: 'aa',
      boundKey: 'k',
      simulated: 'false',
      field: ['data.protocol:gramine', 'data.conditions.name:tcb'],
    });
    expect(parameters.toString()).toBe(
      'mrsigner=aa&simulated=false&boundKey=k&field=data.protocol%3Agramine&field=data.conditions.name%3Atcb',
    );
  });

  it('refuses a time that is neither', () => {
    expect(() => queryParameters({ until: 'yesterday' }, NOW)).toThrow(
      expect.objectContaining({ code: 'TIME_INVALID' }),
    );
  });
});

describe('parseLimit', () => {
  it('knows a number, the default and all', () => {
    expect([parseLimit({ limit: '7' }), parseLimit({}), parseLimit({ all: true })]).toEqual([
      7,
      50,
      Infinity,
    ]);
  });

  it.each([{ limit: '0' }, { limit: '-1' }, { limit: '1e3' }, { limit: '5', all: true as const }])(
    'refuses %j',
    (options) => {
      expect(() => parseLimit(options)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );
});
