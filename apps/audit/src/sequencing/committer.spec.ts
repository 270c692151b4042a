import type { AuditEvent } from '#contracts';
import { type EntryPromise, PromiseVerifier } from '#transparency';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openLogForWriting } from '../store/log-database.js';
import { Committer } from './committer.js';
import { OwnEmitter } from './own-events.js';
import type { IncomingEvent } from './placer.js';

const ORIGIN = 'siegel.test/default';
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const logs = [
  { id: 0, origin: ORIGIN, kid: 'log-key', name: 'default' },
  { id: 1, origin: 'siegel.test/other', kid: 'log-key', name: 'other' },
];
const verifier = new PromiseVerifier(logs.map(({ origin, kid }) => ({ origin, kid, publicKey })));

function withStore(test: (open: () => { committer: Committer; database: DatabaseSync }) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-committer-'));
  const opened: DatabaseSync[] = [];
  try {
    test(() => {
      for (const database of opened.splice(0)) database.close();
      const database = openLogForWriting(join(folder, 'log.db'));
      opened.push(database);
      const own = new OwnEmitter('audit', 'own-key', 'test', privateKey);
      return {
        database,
        committer: new Committer(database, { logs, logKey: privateKey, own, gapGraceMs: 1_000 }),
      };
    });
  } finally {
    for (const database of opened) database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const event = (seq: number, epoch = 'epoch', tenant = 'default', text = ''): IncomingEvent => ({
  tenant,
  emitter: 'key-release',
  epoch,
  seq,
  entry: Buffer.from(JSON.stringify({ epoch, seq, text })),
});
const promiseIn = (result: unknown): EntryPromise =>
  (JSON.parse((result as { reply: string }).reply) as { promise: EntryPromise }).promise;
const recorded = (database: DatabaseSync): AuditEvent[] =>
  (database.prepare('SELECT entry FROM entries ORDER BY pos').all() as unknown as { entry: Uint8Array }[])
    .map(({ entry }) => JSON.parse(Buffer.from(entry).toString()) as { event?: AuditEvent })
    .flatMap(({ event: own }) => own ?? []);

describe('the committer', () => {
  it('gives consecutive indexes per log and promises that verify', () => {
    withStore((open) => {
      const { committer } = open();
      const events = [event(1), event(1, 'b', 'other'), event(2), event(2, 'b', 'other'), event(3)];
      const { results, appended, head } = committer.commit(events, [], 5_000);
      const promises = results.map(promiseIn);
      expect(promises.map(({ log, index }) => [log, index])).toEqual([
        [ORIGIN, 0],
        ['siegel.test/other', 0],
        [ORIGIN, 1],
        ['siegel.test/other', 1],
        [ORIGIN, 2],
      ]);
      promises.forEach((promise, i) => verifier.verify(promise, events[i]!.entry));
      expect({ appended, head }).toEqual({ appended: 5, head: 5 });
      expect(promises.every(({ time }) => time === 5_000)).toBe(true);
    });
  });

  it('never lets its time go back', () => {
    withStore((open) => {
      open().committer.commit([event(1)], [], 9_000);
      const { committer } = open();
      expect(promiseIn(committer.commit([event(2)], [], 4_000).results[0]).time).toBe(9_000);
    });
  });

  it('stores each event once however commits, repetitions and restarts fall', () => {
    const group = fc.array(
      fc.record({ seq: fc.integer({ min: 1, max: 12 }), epoch: fc.constantFrom('a', 'b') }),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(fc.array(fc.record({ group, restart: fc.boolean() }), { maxLength: 8 }), (steps) => {
        withStore((open) => {
          let { committer, database } = open();
          const promised = new Map<string, EntryPromise>();
          for (const { group: wanted, restart } of steps) {
            if (restart) ({ committer, database } = open());
            const events = wanted.map(({ seq, epoch }) => event(seq, epoch));
            const { results } = committer.commit(events, [], 1_000);
            results.forEach((result, i) => {
              const promise = promiseIn(result);
              verifier.verify(promise, events[i]!.entry);
              const key = `${events[i]!.epoch}/${events[i]!.seq}`;
              // A repetition gets exactly the promise that the first one got.
              expect(promised.get(key) ?? promise).toEqual(promise);
              promised.set(key, promise);
            });
          }
          const rows = database
            .prepare(
              "SELECT count(*) AS n FROM entries JOIN epochs ON epochs.id = epoch_id WHERE emitter <> 'audit'",
            )
            .get() as { n: number };
          expect(rows.n).toBe(promised.size);
          const { gaps } = database
            .prepare('SELECT count(*) - max(idx) - 1 AS gaps FROM entries WHERE log_id = 1')
            .get() as { gaps: number | null };
          expect(gaps ?? 0).toBe(0);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('refuses a second event under a known number and records it', () => {
    withStore((open) => {
      const { committer, database } = open();
      const first = committer.commit([event(1)], [], 1_000).results[0];
      const { results } = committer.commit([event(1, 'epoch', 'default', 'changed')], [], 1_000);
      expect(results[0]).toMatchObject({ code: 'AUDIT_SEQUENCE_CONFLICT' });
      expect(recorded(database).at(-1)).toMatchObject({
        type: 'log.duplicate',
        outcome: 'alert',
        data: { seq: 1 },
      });
      expect(promiseIn(committer.commit([event(1)], [], 1_000).results[0])).toEqual(promiseIn(first));
    });
  });

  it('reports a gap once, after its grace, also across a restart', () => {
    withStore((open) => {
      open().committer.commit([event(1), event(5)], [], 1_000);
      const { committer, database } = open();
      expect(committer.hasDue(1_500)).toBe(false);
      expect(committer.hasDue(2_001)).toBe(true);
      committer.commit([], [], 2_001);
      committer.commit([event(6)], [], 9_000);
      const gaps = recorded(database).filter(({ type }) => type === 'log.gap');
      expect(gaps).toHaveLength(1);
      expect(gaps[0]!.data).toMatchObject({ expectedSeq: 2, seq: 4, count: 3 });
      const late = committer.commit([event(3)], [], 9_500);
      expect(promiseIn(late.results[0]).index).toBeGreaterThan(0);
      expect(recorded(database).at(-1)).toMatchObject({ type: 'log.reordered', data: { seq: 3 } });
    });
  });

  it('is as before when the disk is full, and goes on when there is room', () => {
    withStore((open) => {
      const { committer, database } = open();
      committer.commit([event(1)], [], 1_000);
      const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number };
      database.exec(`PRAGMA max_page_count = ${pages + 1}`);
      const large = event(2, 'epoch', 'default', 'x'.repeat(50_000));
      expect(() => committer.commit([large], [], 1_000)).toThrow(/full/);
      expect(committer.head).toBe(1);
      database.exec('PRAGMA max_page_count = 1000000');
      const promise = promiseIn(committer.commit([large], [], 1_000).results[0]);
      expect(promise.index).toBe(1);
      verifier.verify(promise, large.entry);
      expect(recorded(database).filter(({ type }) => type === 'log.gap')).toEqual([]);
    });
  });

  it('bounds the gaps that one emitter can open', () => {
    withStore((open) => {
      const { committer } = open();
      const epoch = randomUUID();
      const results = Array.from(
        { length: 600 },
        (_, i) => committer.commit([event(2 * i + 2, epoch)], [], 1_000).results[0],
      );
      expect(results.at(-1)).toMatchObject({ code: 'AUDIT_SEQUENCE_CONFLICT' });
    });
  });
});
