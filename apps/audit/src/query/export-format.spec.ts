import { describe, expect, it } from '@jest/globals';
import { EXPORT_FORMATS } from './export-format.js';
import type { LoggedEvent } from './query-schema.js';

const logged = {
  position: 7,
  log: 'siegel.test/default',
  index: 6,
  loggedAt: '2026-01-02T03:04:05.678Z',
  event: {
    id: 'i',
    type: 'attestation.denied',
    outcome: 'denied',
    tenant: 'default',
    emitter: { name: 'key-release' },
    reason: { code: 'RELEASE_DENIED', message: 'no' },
    workload: '=cmd()|"x", y',
  },
  kid: 'k',
  sig: 's',
} as LoggedEvent;

describe('exports', () => {
  it('write CSV that quotes, and that no spreadsheet runs', () => {
    const { head, line } = EXPORT_FORMATS.csv;
    expect(head.split(',')).toHaveLength(17);
    expect(line(logged)).toBe(
      `7,2026-01-02T03:04:05.678Z,siegel.test/default,6,i,,default,attestation.denied,denied,RELEASE_DENIED,"'=cmd()|""x"", y",,,,,,key-release\r\n`,
    );
  });

  it('write NDJSON that loses nothing', () => {
    expect(JSON.parse(EXPORT_FORMATS.ndjson.line(logged))).toEqual(logged);
  });
});
