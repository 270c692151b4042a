import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FencedError } from '../store/fenced-error.js';
import { FileTileStorage } from './file-tile-storage.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-tiles-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const text = (path: string) => readFileSync(join(folder, path), 'utf8');

describe('tiles in a folder that replicas share', () => {
  it('are written by the holder of the latest term alone', async () => {
    const [first, second] = [new FileTileStorage(folder), new FileTileStorage(folder)];
    await first.claim(1);
    await first.write('checkpoint', Buffer.from('one'));
    await first.write('tile/0/000.p/3', Buffer.from('abc'));
    await second.claim(2);
    await expect(first.write('checkpoint', Buffer.from('late'))).rejects.toThrow(FencedError);
    await expect(first.write('tile/0/001.p/1', Buffer.from('late'))).rejects.toThrow(FencedError);
    await first.removePartials('tile/0/000');
    expect(text('checkpoint')).toBe('one');
    expect(text('tile/0/000.p/3')).toBe('abc');
    await second.write('checkpoint', Buffer.from('two'));
    await second.removePartials('tile/0/000');
    expect(text('checkpoint')).toBe('two');
    expect(existsSync(join(folder, 'tile/0/000.p'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual(['.term-2']);
  });

  it('are not written by a draft that was begun before the term ended', async () => {
    const [first, second] = [new FileTileStorage(folder), new FileTileStorage(folder)];
    await first.claim(1);
    await first.write('checkpoint', Buffer.from('one'));
    // The writes and the claim run at the same time: each write is either before the claim, or refused.
    const writes = Array.from({ length: 50 }, (_, i) =>
      first.write('checkpoint', Buffer.from(`one-${i}`)).then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(FencedError);
          return false;
        },
      ),
    );
    await second.claim(2);
    await second.write('checkpoint', Buffer.from('two'));
    await Promise.all(writes);
    expect(text('checkpoint')).toBe('two');
  });

  it('refuse to be claimed twice for one term, and survive claims at the same time', async () => {
    await new FileTileStorage(folder).claim(3);
    await expect(new FileTileStorage(folder).claim(3)).rejects.toMatchObject({ code: 'EEXIST' });
    await Promise.all([4, 5, 6].map((term) => new FileTileStorage(folder).claim(term)));
    const last = new FileTileStorage(folder);
    await last.claim(7);
    await last.write('checkpoint', Buffer.from('seven'));
    expect(readdirSync(folder).sort()).toEqual(['.term-7', 'checkpoint']);
  });
});
