import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Names that events repeat, as numbers in the index. */
export const DICTIONARIES = [
  'tenant',
  'type',
  'outcome',
  'reason',
  'workload',
  'mrenclave',
  'emitter',
  'tcb',
] as const;
export type Dictionary = (typeof DICTIONARIES)[number];

const SCHEMA = `
CREATE TABLE names (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  UNIQUE (kind, value)
) STRICT;
-- One row per entry of the log, by its position. time is the log's own, hence it never decreases with pos.
-- session and leaf are 48 bits of the session id's digest and of the leaf hash: matches are confirmed on the event itself.
CREATE TABLE events (
  pos INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  log INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  time INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  emitter INTEGER NOT NULL,
  reason INTEGER,
  workload INTEGER,
  mrenclave INTEGER,
  tcb INTEGER,
  session INTEGER,
  leaf INTEGER NOT NULL,
  -- facts.ts: names, then digests of 48 bits.
  mrsigner INTEGER,
  instance INTEGER,
  simulated INTEGER,
  protocol INTEGER,
  fmspc INTEGER,
  bound_key INTEGER,
  evidence INTEGER,
  platform INTEGER
) STRICT;
-- The words of reasons and failed conditions, by position. The text itself is in the log.
CREATE VIRTUAL TABLE reasons USING fts5(words, content='', columnsize=0, tokenize='unicode61');
-- Every index ends in pos (the rowid), so that one filter gives its newest matches without sorting.
CREATE INDEX events_id ON events (id);
CREATE INDEX events_leaf ON events (leaf);
CREATE INDEX events_tenant ON events (tenant);
CREATE INDEX events_type ON events (type);
CREATE INDEX events_outcome_type ON events (outcome, type);
CREATE INDEX events_outcome_workload ON events (outcome, workload);
CREATE INDEX events_outcome_mrenclave ON events (outcome, mrenclave);
CREATE INDEX events_workload ON events (workload) WHERE workload IS NOT NULL;
CREATE INDEX events_mrenclave ON events (mrenclave) WHERE mrenclave IS NOT NULL;
CREATE INDEX events_reason ON events (reason) WHERE reason IS NOT NULL;
CREATE INDEX events_session ON events (session) WHERE session IS NOT NULL;
CREATE INDEX events_bound_key ON events (bound_key) WHERE bound_key IS NOT NULL;
CREATE INDEX events_evidence ON events (evidence) WHERE evidence IS NOT NULL;
CREATE INDEX events_platform ON events (platform) WHERE platform IS NOT NULL;
`;
const USER_VERSION = 4;

/**
 * Opens the search index for its one writer. The index holds nothing that the log does not: whatever is wrong with it
 * (another version, damage), it is made anew and filled from the log.
 */
export function openIndexForWriting(path: string): DatabaseSync {
  try {
    const database = open(path);
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (version === USER_VERSION) return database;
    database.close();
  } catch {
    // Unreadable: made anew below.
  }
  removeIndex(path);
  const database = open(path);
  database.exec(`BEGIN; ${SCHEMA} PRAGMA user_version = ${USER_VERSION}; COMMIT`);
  return database;
}

/** Deletes the index; the next start rebuilds it from the log. */
export function removeIndex(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
}

export function openIndexForReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  database.exec('PRAGMA cache_size = -8192');
  return database;
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec('PRAGMA journal_mode = WAL');
  // A power loss may cost the last transactions, which are indexed again; it cannot damage the file.
  database.exec('PRAGMA synchronous = NORMAL');
  database.exec('PRAGMA cache_size = -8192');
  return database;
}
