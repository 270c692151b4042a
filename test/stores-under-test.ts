import type { AuditEvent } from '#contracts';
import { type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { openIndexForReading, openIndexForWriting } from '../apps/audit/src/index/index-database.js';
import { Indexer } from '../apps/audit/src/index/indexer.js';
import { PostgresIndexer } from '../apps/audit/src/index/postgres-indexer.js';
import type { OwnLog } from '../apps/audit/src/own-log.js';
import { EventReader } from '../apps/audit/src/query/event-reader.js';
import type { EventSource } from '../apps/audit/src/query/event-source.js';
import { unpack } from '../apps/audit/src/query/packed-events.js';
import { PostgresEventReader } from '../apps/audit/src/query/postgres-event-reader.js';
import { Committer } from '../apps/audit/src/sequencing/committer.js';
import { OwnEmitter, type OwnStatement } from '../apps/audit/src/sequencing/own-events.js';
import type { Commit, IncomingEvent } from '../apps/audit/src/sequencing/placer.js';
import { openLogForReading, openLogForWriting } from '../apps/audit/src/store/log-database.js';
import type { PostgresSettings } from '../apps/audit/src/store/postgres/connection.js';
import { PostgresDatabase } from '../apps/audit/src/store/postgres/database.js';
import { Lease } from '../apps/audit/src/store/postgres/lease.js';
import { PostgresCommitter } from '../apps/audit/src/store/postgres/postgres-committer.js';
import { prepareSchema } from '../apps/audit/src/store/postgres/schema.js';
import { logRows, postgresTreeSource } from '../apps/audit/src/store/postgres/tree-source.js';
import { type TreeSource, sqliteTreeSource } from '../apps/audit/src/tree/tree-source.js';

export const LOGS: readonly OwnLog[] = [
  { id: 0, origin: 'siegel.test/default', kid: 'log-key', name: 'default' },
  { id: 1, origin: 'siegel.test/other', kid: 'log-key', name: 'other' },
];
const GAP_GRACE_MS = 1_000;

/** A store with everything that the service does with it, the same for every kind. */
export interface StoreUnderTest {
  commit(
    events: readonly IncomingEvent[],
    now: number,
    statements?: readonly OwnStatement[],
    last?: boolean,
  ): Promise<Commit>;
  hasDue(now: number): boolean;
  /** As a new process that opens what the former one left. */
  reopen(): Promise<void>;
  /** Brings the search index up to date. */
  index(): Promise<void>;
  readonly reader: EventSource;
  source(log: OwnLog): Promise<TreeSource>;
  close(): Promise<void>;
}

export type MakeStore = (partition?: PostgresSettings['partition']) => Promise<StoreUnderTest>;

/** Every event of the service itself, oldest first. */
export async function ownEvents(store: StoreUnderTest): Promise<AuditEvent[]> {
  const found: AuditEvent[] = [];
  for (let position = 0; ;) {
    const events = unpack(await store.reader.after(position, 500));
    if (events.length === 0) return found;
    for (const { entry } of events) {
      const { event } = JSON.parse(Buffer.from(entry).toString('utf8')) as { event?: AuditEvent };
      if (event?.emitter.name === 'audit') found.push(event);
    }
    position = events.at(-1)!.position;
  }
}

const optionsOf = (privateKey: KeyObject) => ({
  logs: LOGS,
  logKey: privateKey,
  own: new OwnEmitter('audit', 'own-key', 'test', privateKey),
  gapGraceMs: GAP_GRACE_MS,
});

/** `segment` is the number of events in a segment of the index. */
export async function sqliteStore(privateKey: KeyObject, segment: number): Promise<StoreUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'siegel-store-'));
  const open: DatabaseSync[] = [];
  const keep = (database: DatabaseSync): DatabaseSync => {
    open.push(database);
    return database;
  };
  const start = () => {
    const writing = keep(openLogForWriting(join(folder, 'log.db')));
    const committer = new Committer(writing, optionsOf(privateKey));
    const log = keep(openLogForReading(join(folder, 'log.db')));
    const indexing = keep(openIndexForWriting(join(folder, 'index.db')));
    const index = keep(openIndexForReading(join(folder, 'index.db')));
    return {
      committer,
      log,
      indexer: new Indexer(log, indexing, segment),
      reader: new EventReader(log, index),
    };
  };
  let opened = start();
  const end = (): void => open.splice(0).forEach((database) => database.close());
  return {
    commit: (events, now, statements = [], last = false) =>
      new Promise((resolve) => resolve(opened.committer.commit(events, statements, now, last))),
    hasDue: (now) => opened.committer.hasDue(now),
    reopen: () => {
      end();
      opened = start();
      return Promise.resolve();
    },
    index: () => {
      while (opened.indexer.advance() > 0);
      return Promise.resolve();
    },
    get reader() {
      return opened.reader;
    },
    source: ({ origin }) => Promise.resolve(sqliteTreeSource(opened.log, origin)),
    close: () => {
      end();
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** A committer of the next term. */
export async function takeOver(
  database: PostgresDatabase,
  privateKey: KeyObject,
  partition: PostgresSettings['partition'],
): Promise<{ committer: PostgresCommitter; term: number }> {
  const lease = new Lease(database);
  let term: number | undefined;
  // A leader at work shows itself all the time: the claim is repeated until it comes in between.
  while (term === undefined) term = await lease.claim(await lease.observe(), 'test');
  return {
    term,
    committer: await PostgresCommitter.open(database, { term, width: partition }, optionsOf(privateKey)),
  };
}

export async function postgresStore(
  url: string,
  privateKey: KeyObject,
  partition: PostgresSettings['partition'] = 'month',
): Promise<StoreUnderTest & { database: PostgresDatabase }> {
  const settings = { name: 'test', connections: 4, statementTimeoutMs: 20_000 };
  const database = new PostgresDatabase({ url, partition }, settings);
  await prepareSchema(database, LOGS);
  let { committer, term } = await takeOver(database, privateKey, partition);
  let indexer: PostgresIndexer | undefined;
  return {
    database,
    commit: (events, now, statements = [], last = false) => committer.commit(events, statements, now, last),
    hasDue: (now) => committer.hasDue(now),
    reopen: async () => {
      committer.close();
      indexer = undefined;
      ({ committer, term } = await takeOver(database, privateKey, partition));
    },
    index: async () => {
      indexer ??= await PostgresIndexer.open(database, term);
      while ((await indexer.advance()) > 0);
    },
    reader: new PostgresEventReader(database),
    source: async ({ origin }) => postgresTreeSource(database, (await logRows(database)).get(origin)!),
    close: async () => {
      committer.close();
      await database.close();
    },
  };
}
