import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TestEmitter } from '../../../../test/audit-deployment.js';
import { EventReader } from '../query/event-reader.js';
import { Committer } from '../sequencing/committer.js';
import { OwnEmitter } from '../sequencing/own-events.js';
import { openLogForReading, openLogForWriting } from '../store/log-database.js';
import { openIndexForReading, openIndexForWriting } from './index-database.js';
import { Indexer } from './indexer.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const folders: string[] = [];
let path: (name: string) => string;
let append: (count: number) => void;
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-indexer-'));
  folders.push(folder);
  path = (name) => join(folder, name);
  const logs = [{ id: 0, origin: 'siegel.test/default', kid: 'k', name: 'default' }];
  const own = new OwnEmitter('audit', 'own', 'test', privateKey);
  const writing = openLogForWriting(path('log.db'));
  const committer = new Committer(writing, { logs, logKey: privateKey, own, gapGraceMs: 1_000 });
  const emitter = new TestEmitter({ kid: 'k', privateKey, publicKey });
  let now = 0;
  append = (count) => {
    for (let i = 0; i < count; i++) {
      const { entry, seq } = emitter.event({ workload: `w${emitter.seq % 3}` });
      committer.commit(
        [{ tenant: 'default', emitter: 'key-release', epoch: emitter.epoch, seq, entry }],
        [],
        ++now,
      );
    }
  };
});

/** Positions of the events that have one of the workloads. */
async function found(): Promise<number[]> {
  const [log, index] = [openLogForReading(path('log.db')), openIndexForReading(path('index.db'))];
  const reader = new EventReader(log, index);
  const positions: number[] = [];
  for (const workload of ['w0', 'w1', 'w2'])
    for (let [more, after] = [true, 0]; more;) {
      const page = await reader.search({ filters: { workload }, order: 'oldest', after, limit: 500 });
      positions.push(...page.events.map(({ position }) => position));
      ({ more, searchedTo: after } = page);
    }
  for (const database of [log, index]) database.close();
  return positions.sort((a, b) => a - b);
}
const upTo = (count: number): number[] => Array.from({ length: count }, (_unused, i) => i + 1);

async function withIndexer<T>(use: (indexer: Indexer) => T | Promise<T>): Promise<T> {
  const [log, index] = [openLogForReading(path('log.db')), openIndexForWriting(path('index.db'))];
  try {
    return await use(new Indexer(log, index, 10));
  } finally {
    for (const database of [log, index]) database.close();
  }
}
const catchUp = (indexer: Indexer): number => {
  while (indexer.advance() > 0);
  return indexer.position;
};

describe('the embedded index', () => {
  it('goes on from wherever it stopped, inside a segment or between two', async () => {
    for (const [more, total] of [
      [4, 4],
      [3, 7],
      [3, 10],
      [1, 11],
      [25, 36],
    ] as const) {
      append(more);
      expect(await withIndexer(catchUp)).toBe(total);
      expect(await found()).toEqual(upTo(total));
    }
  });

  it('shows a reader that was open before what is appended and sealed', async () => {
    append(7);
    await withIndexer(async (indexer) => {
      catchUp(indexer);
      const [log, index] = [openLogForReading(path('log.db')), openIndexForReading(path('index.db'))];
      const reader = new EventReader(log, index);
      for (const more of [0, 2, 5, 1, 30]) {
        append(more);
        const last = catchUp(indexer);
        const filters = { outcome: 'denied' as const };
        const page = await reader.search({ filters, order: 'newest', after: undefined, limit: 1 });
        expect(page.events[0]!.position).toBe(last);
        const [cell] = await reader.count({ filters, by: 'outcome', bucketMs: Number.MAX_SAFE_INTEGER });
        expect(cell).toMatchObject({ value: 'denied', count: last });
        expect(reader.byId(page.events[0]!.event.id)).toEqual(page.events[0]);
      }
      for (const database of [log, index]) database.close();
    });
  });

  it('is made anew where it is of another version', async () => {
    append(12);
    await withIndexer(catchUp);
    const old = new DatabaseSync(path('index.db'));
    old.exec('DROP TABLE terms; PRAGMA user_version = 4');
    old.close();
    expect(await withIndexer((indexer) => [indexer.position, catchUp(indexer)])).toEqual([0, 12]);
    expect(await found()).toEqual(upTo(12));
  });

  it('keeps what it had when a page cannot be written, and goes on later', async () => {
    append(8);
    await withIndexer(catchUp);
    append(30);
    const blocker = new DatabaseSync(path('index.db'));
    const [log, index] = [openLogForReading(path('log.db')), openIndexForWriting(path('index.db'))];
    index.exec('PRAGMA busy_timeout = 0');
    const indexer = new Indexer(log, index, 10);
    blocker.exec('BEGIN IMMEDIATE');
    expect(() => indexer.advance()).toThrow(/locked/);
    expect(indexer.position).toBe(8);
    blocker.exec('COMMIT');
    blocker.close();
    expect(catchUp(indexer)).toBe(38);
    expect(await found()).toEqual(upTo(38));
    for (const database of [log, index]) database.close();
  });

  it('stops at a position that the log does not have', async () => {
    append(5);
    const log = new DatabaseSync(path('log.db'));
    log.exec('DELETE FROM entries WHERE pos = 3');
    log.close();
    await expect(withIndexer(catchUp)).rejects.toThrow(/no entry at position 3/);
  });
});
