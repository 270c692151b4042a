import { ConfigurationError } from '#platform';
import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPostgresUrl } from './connection.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-url-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fileOf = (text: string, mode = 0o600): string => {
  const path = join(folder, String(++files));
  writeFileSync(path, text, { mode });
  return path;
};
const refusal = (path: string): string => {
  try {
    readPostgresUrl(path);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    expect(error.problems.map(({ variable }) => variable)).toEqual(['SIEGEL_AUDIT_POSTGRES_FILE']);
    expect(error.message).not.toContain('hunter2');
    return error.message;
  }
};

describe('the URL of the database', () => {
  it.each([
    'postgresql://siegel:hunter2@db.example/audit?sslmode=verify-full',
    'postgres://siegel@db.example:6432/audit?sslmode=verify-full&sslrootcert=/etc/ca.pem',
    'postgresql://siegel@localhost/audit',
    'postgresql://siegel@127.0.0.1:5432/audit',
    'postgresql://siegel@[::1]/audit',
    'postgresql://siegel@localhost/audit?host=/run/postgresql',
  ])('may be %s', (url) => {
    expect(readPostgresUrl(fileOf(`${url}\n`))).toBe(url);
  });

  it.each([
    ['postgresql://siegel:hunter2@db.example/audit', /sslmode=verify-full/],
    ['postgresql://siegel:hunter2@db.example/audit?sslmode=require', /sslmode=verify-full/],
    ['postgresql://siegel:hunter2@db.example/audit?sslmode=disable', /sslmode=verify-full/],
    ['postgresql://siegel:hunter2@127.0.0.1.evil.example/audit', /sslmode=verify-full/],
    ['postgresql://siegel:hunter2@localhost/audit?host=db.example', /sslmode=verify-full/],
    ['postgresql://siegel:hunter2@localhost/audit?options=-c%20fsync%3Doff', /options/],
    ['mysql://siegel:hunter2@localhost/audit', /one URL/],
    ['host=localhost password=hunter2', /one URL/],
    ['', /one URL/],
  ])('is refused as %s', (url, message) => {
    expect(refusal(fileOf(url))).toMatch(message);
  });

  it('is refused where others can read it, and where there is none', () => {
    expect(refusal(fileOf('postgresql://siegel@localhost/audit', 0o644))).toMatch(/readable by others/);
    expect(refusal(join(folder, 'absent'))).toMatch(/ENOENT/);
  });
});
