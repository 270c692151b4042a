import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HighWaterMarks } from './high-water.js';

describe('HighWaterMarks', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'siegel-marks-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('remembers the newest version across restarts', () => {
    new HighWaterMarks(directory).raise('default', 3, 'c');
    expect(new HighWaterMarks(directory).of('default')).toEqual({ version: 3, digest: 'c' });
  });

  it('never goes back', () => {
    const marks = new HighWaterMarks(directory);
    marks.raise('default', 3, 'c');
    marks.raise('default', 2, 'b');
    expect(marks.of('default')?.version).toBe(3);
  });

  it('keeps tenants apart', () => {
    const marks = new HighWaterMarks(directory);
    marks.raise('a', 1, 'x');
    expect(marks.of('b')).toBeUndefined();
  });

  it('refuses an unreadable mark instead of forgetting what it saw', () => {
    writeFileSync(join(directory, 'manifest-versions.json'), '{"default":');
    expect(() => new HighWaterMarks(directory)).toThrow();
  });
});
