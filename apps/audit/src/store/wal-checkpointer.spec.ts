import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openLogForReading, openLogForWriting } from './log-database.js';
import { WalCheckpointer } from './wal-checkpointer.js';

describe('WalCheckpointer', () => {
  let folder: string;
  let path: string;
  let writer: DatabaseSync;
  let checkpointer: WalCheckpointer;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-wal-'));
    path = join(folder, 'log.db');
    writer = openLogForWriting(path);
    checkpointer = new WalCheckpointer(path);
  });
  afterEach(() => {
    checkpointer.close();
    writer.close();
    rmSync(folder, { recursive: true });
  });
  const insert = (count: number, from = 0): void => {
    const statement = writer.prepare(
      'INSERT INTO epochs (emitter, epoch, next_seq, missing) VALUES (?, ?, 0, ?)',
    );
    writer.exec('BEGIN');
    for (let i = 0; i < count; i++) statement.run('e', String(from + i), 'x'.repeat(1_000));
    writer.exec('COMMIT');
  };
  const rows = (database: DatabaseSync): unknown =>
    (database.prepare('SELECT count(*) AS n FROM epochs').get() as { n: unknown }).n;

  it('leaves the moving of pages to others for far longer than SQLite would', () => {
    const before = statSync(path).size;
    insert(6_000);
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(1_000 * 4_096);
    expect(statSync(path).size).toBe(before);
  });

  it('moves what is committed into the file, and the log of pages starts again', () => {
    insert(2_000);
    const wal = statSync(`${path}-wal`).size;
    checkpointer.checkpoint();
    expect(statSync(path).size).toBeGreaterThan(2_000 * 1_000);
    insert(1_000, 2_000);
    expect(statSync(`${path}-wal`).size).toBe(wal);
    const reader = openLogForReading(path);
    expect(rows(reader)).toBe(3_000);
    reader.close();
  });

  it('holds up neither an open transaction of the writer nor a reader, and loses nothing of them', () => {
    insert(100);
    const reader = openLogForReading(path);
    reader.exec('BEGIN');
    expect(rows(reader)).toBe(100);
    writer.exec('BEGIN IMMEDIATE');
    writer
      .prepare('INSERT INTO epochs (emitter, epoch, next_seq, missing) VALUES (?, ?, 0, ?)')
      .run('e', 'open', '');
    checkpointer.checkpoint();
    writer.exec('COMMIT');
    expect(rows(reader)).toBe(100);
    reader.exec('COMMIT');
    expect(rows(reader)).toBe(101);
    reader.close();
  });
});
