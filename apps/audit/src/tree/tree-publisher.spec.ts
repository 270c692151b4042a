import {
  EMPTY_ROOT,
  Frontier,
  TileHashSource,
  ed25519Verifier,
  leafHash,
  openCheckpoint,
  signBatch,
  MemoryTree,
} from '#transparency';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { EntryTable } from '../sequencing/entry-table.js';
import { openLogForWriting } from '../store/log-database.js';
import { FileTileStorage } from './file-tile-storage.js';
import { TreePublisher } from './tree-publisher.js';
import { sqliteTreeSource } from './tree-source.js';

const log = { id: 0, origin: 'siegel.test/default', kid: 'k', name: 'default' };
const { privateKey } = generateKeyPairSync('ed25519');
const verifier = ed25519Verifier(log.origin, createPublicKey(privateKey));
const entry = (i: number) => Buffer.from(`{"i":${i}}`);

let folder: string;
let database: DatabaseSync;
let table: EntryTable;
let size = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-tree-'));
  database = openLogForWriting(join(folder, 'log.db'));
  table = new EntryTable(database, [log]);
  size = 0;
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function commit(count: number): void {
  database.exec('BEGIN');
  const leaves = Array.from({ length: count }, (_, i) => leafHash(entry(size + i)));
  const at = { log: log.origin, start: size, time: 1, kid: 'k' };
  table.insertBatch(
    size + 1,
    0,
    signBatch(at, new MemoryTree(leaves), (bytes) => sign(null, bytes, privateKey)),
  );
  for (let i = 0; i < count; i++)
    table.insert(size + i + 1, 0, size + i, size + 1, 1, size + i + 1, entry(size + i));
  database.exec('COMMIT');
  size += count;
}

const publisher = () =>
  new TreePublisher(
    log,
    sqliteTreeSource(database, log.origin),
    privateKey,
    new FileTileStorage(join(folder, 'tree/default')),
  );
const rootOf = (n: number) => {
  const frontier = Frontier.empty();
  for (let i = 0; i < n; i++) frontier.append(leafHash(entry(i)));
  return frontier.root();
};

describe('publishing a log', () => {
  it('signs what is committed, goes on after a restart, and prunes partial tiles', async () => {
    expect(await publisher().head()).toEqual({ size: 0, root: EMPTY_ROOT });
    expect(await publisher().publish()).toBeUndefined();
    for (const count of [3, 250, 3, 500]) {
      commit(count);
      const head = await publisher().publish();
      expect(head).toEqual({ size, root: rootOf(size) });
      const again = publisher();
      const note = await again.storage.read('checkpoint');
      expect(openCheckpoint(note!, log.origin, verifier)).toMatchObject({ size, root: rootOf(size) });
      expect(await new TileHashSource(again.storage, size).root()).toEqual(rootOf(size));
    }
    expect(existsSync(join(folder, 'tree/default/tile/0/000'))).toBe(true);
    expect(existsSync(join(folder, 'tree/default/tile/0/000.p'))).toBe(false);
    expect(existsSync(join(folder, 'tree/default/tile/entries/000.p'))).toBe(false);
    expect(statSync(join(folder, 'tree/default/checkpoint')).size).toBeLessThan(1_000);
  });

  it('refuses a store that is shorter than the published tree', async () => {
    commit(10);
    await publisher().publish();
    database.exec('DELETE FROM entries WHERE idx >= 5');
    await expect(publisher().head()).rejects.toThrow(/would fork the log/);
  });

  it('refuses a checkpoint that our key did not sign, and tiles that do not fit it', async () => {
    commit(10);
    await publisher().publish();
    commit(1);
    const { storage } = publisher();
    const tile = (await storage.read('tile/0/000.p/10'))!;
    tile[0]! ^= 1;
    writeFileSync(join(folder, 'tree/default/tile/0/000.p/10'), tile);
    await expect(publisher().publish()).rejects.toMatchObject({ code: 'TREE_INCONSISTENT' });
    const note = (await storage.read('checkpoint'))!.toString();
    writeFileSync(join(folder, 'tree/default/checkpoint'), note.replace('\n10\n', '\n9\n'));
    await expect(publisher().head()).rejects.toMatchObject({ code: 'NOTE_SIGNATURE_INVALID' });
  });

  it('is repaired after a crash that left half-written drafts', async () => {
    commit(5);
    await publisher().publish();
    commit(5);
    writeFileSync(join(folder, 'tree/default/checkpoint.new'), 'half');
    writeFileSync(join(folder, 'tree/default/tile/0/000.p/10.new'), 'half');
    expect(await publisher().publish()).toEqual({ size: 10, root: rootOf(10) });
  });
});
