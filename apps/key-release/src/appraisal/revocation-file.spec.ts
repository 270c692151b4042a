import type { RevocationRecord } from '#contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RevocationFile } from './revocation-file.js';

const record = (n: number, until: string): RevocationRecord => ({
  v: 1,
  tenant: 'default',
  session: `00000000-0000-4000-8000-00000000000${n}`,
  revokedAt: '2026-11-01T00:00:00Z',
  actor: 'admin-token',
  until,
});
const NOW = Date.parse('2026-11-23T00:00:00Z');

describe('RevocationFile', () => {
  let folder = '';
  const path = (): string => join(folder, 'revoked-sessions.jsonl');
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-revoked-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is empty at first, keeps what is added, and forgets what has served its time', () => {
    const file = new RevocationFile(folder);
    expect(file.load(NOW)).toEqual([]);
    const [ended, alive] = [record(1, '2026-11-22T00:00:00Z'), record(2, '2026-12-01T00:00:00Z')];
    file.add(ended);
    file.add(alive);
    expect(new RevocationFile(folder).load(NOW)).toEqual([alive]);
    expect(readFileSync(path(), 'utf8')).toBe(`${JSON.stringify(alive)}\n`);
  });

  it('drops a line that was cut off while it was written, and goes on after it', () => {
    const file = new RevocationFile(folder);
    const [one, two] = [record(1, '2026-12-01T00:00:00Z'), record(2, '2026-12-01T00:00:00Z')];
    file.add(one);
    appendFileSync(path(), '{"v":1,"ten');
    expect(file.load(NOW)).toEqual([one]);
    file.add(two);
    expect(file.load(NOW)).toEqual([one, two]);
  });

  it('does not take a damaged file for one without revocations', () => {
    writeFileSync(path(), 'damaged\n');
    expect(() => new RevocationFile(folder).load(NOW)).toThrow('line 1 is damaged');
  });
});
