import { DatabaseSync } from 'node:sqlite';
import { WRITER_CHECKPOINT_PAGES } from './wal-checkpointer.js';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS logs (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL UNIQUE
) STRICT;
-- One run of one emitter and how far its numbering came; missing is JSON, see numbering.ts.
CREATE TABLE IF NOT EXISTS epochs (
  id INTEGER PRIMARY KEY,
  emitter TEXT NOT NULL,
  epoch TEXT NOT NULL,
  next_seq INTEGER NOT NULL,
  missing TEXT NOT NULL,
  UNIQUE (emitter, epoch)
) STRICT;
-- One group commit of one log: what the promise's signature states.
CREATE TABLE IF NOT EXISTS batches (
  id INTEGER PRIMARY KEY,
  log_id INTEGER NOT NULL,
  start INTEGER NOT NULL,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  time INTEGER NOT NULL,
  kid TEXT NOT NULL,
  signature BLOB NOT NULL,
  UNIQUE (log_id, start)
) STRICT;
-- The entries of all logs in the order of their commit. entry is the canonical event: the log's leaf.
CREATE TABLE IF NOT EXISTS entries (
  pos INTEGER PRIMARY KEY,
  log_id INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  batch_id INTEGER NOT NULL,
  epoch_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  entry BLOB NOT NULL,
  UNIQUE (log_id, idx),
  UNIQUE (epoch_id, seq)
) STRICT;
`;
const USER_VERSION = 1;

/** The store was written by a newer version, or is not one. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/**
 * Opens the authoritative store for its one writer. WAL with synchronous FULL: when a COMMIT returns, the transaction
 * has been fsynced (https://www.sqlite.org/pragma.html#pragma_synchronous).
 * @throws StoreError
 */
export function openLogForWriting(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(`PRAGMA wal_autocheckpoint = ${WRITER_CHECKPOINT_PAGES}`);
  database.exec('PRAGMA cache_size = -4096');
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > USER_VERSION)
    throw new StoreError(`the store has format ${version}, this version knows ${USER_VERSION}`);
  database.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${USER_VERSION}; COMMIT`);
  return database;
}

/** Opens the store for reading beside the writer; a read sees whole commits only. */
export function openLogForReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  database.exec('PRAGMA cache_size = -4096');
  return database;
}
