import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * The log is indexed in segments: ranges of positions, one behind the other. What is in a sealed one never changes, and was
 * written in one go in the order of its keys, so that writing costs the same however long the log is.
 */
const SCHEMA = `
-- Sealed segments have the positions above \`above\`, up to and including \`last\`. first_time and last_time are the log's,
-- hence they never decrease; times has all of them (time-runs.ts).
CREATE TABLE segments (
  above INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  first_time INTEGER NOT NULL,
  last_time INTEGER NOT NULL,
  times BLOB NOT NULL
) STRICT;
-- Which of a segment's events have a value, by kind (term-kinds.ts) and value (term-blocks.ts). Blocks are not part of a
-- key: a B-tree with such keys would have a few to a page, and many pages on the way to each.
CREATE TABLE terms (
  id INTEGER PRIMARY KEY,
  segment INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  first BLOB NOT NULL,
  block BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX terms_first ON terms (segment, kind, first);
-- The same for values that are almost unique, by 40 bits of a digest; for the id see digestBlockId (digests.ts).
CREATE TABLE digests (
  id INTEGER PRIMARY KEY,
  block BLOB NOT NULL
) STRICT;
-- What is behind the last sealed segment, page by page (recent-page.ts): readers keep it in memory.
CREATE TABLE recent (
  last INTEGER PRIMARY KEY,
  page TEXT NOT NULL
) STRICT;
`;
/** Raised whenever the file's content would be made differently: the terms of events and their encoding included. */
const USER_VERSION = 8;
const PAGE_BYTES = 8_192;

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
  database.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
  database.exec('PRAGMA journal_mode = WAL');
  // A power loss may cost the last transactions, which are indexed again; it cannot damage the file.
  database.exec('PRAGMA synchronous = NORMAL');
  database.exec('PRAGMA cache_size = -8192');
  return database;
}
