import { type Transaction, sql } from 'kysely';
import type { OwnLog } from '../../own-log.js';
import { StoreError } from '../log-database.js';
import type { PostgresDatabase } from './database.js';
import { type PostgresTables, SCHEMA_NAME } from './tables.js';

const VERSION = 1;
/** Advisory lock under which the schema is made: replicas start at the same time. */
const SCHEMA_LOCK = 0x51e6e1;

/** The partitioned tables, each by `time`, the log's own in Unix milliseconds: it never decreases with `pos`. */
export const PARTITIONED = ['batches', 'entries', 'events'] as const;

const STATEMENTS = [
  'CREATE TABLE format (version integer NOT NULL)',
  // The one row whose compare-and-swap decides who may write: see docs/decisions/0006.
  `CREATE TABLE sequencer (
     one boolean PRIMARY KEY DEFAULT true CHECK (one),
     term bigint NOT NULL,
     holder text NOT NULL,
     beat bigint NOT NULL,
     backend integer NOT NULL,
     head bigint NOT NULL,
     next_batch bigint NOT NULL,
     last_time bigint NOT NULL,
     distributed bigint NOT NULL
   ) WITH (fillfactor = 50)`,
  "INSERT INTO sequencer VALUES (true, 0, '', 0, 0, 0, 1, 0, 0)",
  'CREATE TABLE logs (id integer PRIMARY KEY, origin text NOT NULL UNIQUE, size bigint NOT NULL) WITH (fillfactor = 50)',
  // One run of one emitter and how far its numbering came; missing is JSON, see numbering.ts.
  `CREATE TABLE epochs (
     id bigint PRIMARY KEY,
     emitter text NOT NULL,
     epoch text NOT NULL,
     next_seq bigint NOT NULL,
     missing text NOT NULL,
     UNIQUE (emitter, epoch)
   ) WITH (fillfactor = 70)`,
  'CREATE INDEX epochs_open ON epochs (id) WHERE missing LIKE \'%"reported":false%\'',
  // One group commit of one log: what the promise's signature states.
  `CREATE TABLE batches (
     id bigint NOT NULL,
     log_id integer NOT NULL,
     start bigint NOT NULL,
     size integer NOT NULL,
     root bytea NOT NULL,
     time bigint NOT NULL,
     kid text NOT NULL,
     signature bytea NOT NULL,
     PRIMARY KEY (id, time)
   ) PARTITION BY RANGE (time)`,
  // The entries of all logs in the order of their commit. entry is the canonical event: the log's leaf.
  `CREATE TABLE entries (
     pos bigint NOT NULL,
     log_id integer NOT NULL,
     idx bigint NOT NULL,
     batch_id bigint NOT NULL,
     epoch_id bigint NOT NULL,
     seq bigint NOT NULL,
     time bigint NOT NULL,
     entry bytea NOT NULL,
     PRIMARY KEY (pos, time),
     UNIQUE (log_id, idx, time),
     UNIQUE (epoch_id, seq, time)
   ) PARTITION BY RANGE (time)`,
  // The search index: nothing that the entries do not hold. Bigints are 48 bits of a digest, confirmed on the event itself;
  // the last columns are those of index/facts.ts.
  `CREATE TABLE events (
     pos bigint NOT NULL,
     time bigint NOT NULL,
     id uuid NOT NULL,
     log_id integer NOT NULL,
     idx bigint NOT NULL,
     tenant text NOT NULL,
     type text NOT NULL,
     outcome text NOT NULL,
     emitter text NOT NULL,
     reason text,
     workload text,
     mrenclave text,
     tcb text,
     session bigint,
     leaf bigint NOT NULL,
     words tsvector,
     mrsigner text,
     instance text,
     simulated text,
     protocol text,
     fmspc text,
     bound_key bigint,
     evidence bigint,
     platform bigint,
     PRIMARY KEY (pos, time)
   ) PARTITION BY RANGE (time)`,
  // Every index ends in pos, so that one filter gives its newest matches without sorting.
  'CREATE INDEX events_id ON events (id)',
  'CREATE INDEX events_leaf ON events (leaf)',
  'CREATE INDEX events_tenant ON events (tenant, pos)',
  'CREATE INDEX events_type ON events (type, pos)',
  'CREATE INDEX events_outcome_type ON events (outcome, type, pos)',
  'CREATE INDEX events_outcome_workload ON events (outcome, workload, pos)',
  'CREATE INDEX events_outcome_mrenclave ON events (outcome, mrenclave, pos)',
  'CREATE INDEX events_workload ON events (workload, pos) WHERE workload IS NOT NULL',
  'CREATE INDEX events_mrenclave ON events (mrenclave, pos) WHERE mrenclave IS NOT NULL',
  'CREATE INDEX events_reason ON events (reason, pos) WHERE reason IS NOT NULL',
  'CREATE INDEX events_session ON events (session, pos) WHERE session IS NOT NULL',
  'CREATE INDEX events_bound_key ON events (bound_key, pos) WHERE bound_key IS NOT NULL',
  'CREATE INDEX events_evidence ON events (evidence, pos) WHERE evidence IS NOT NULL',
  'CREATE INDEX events_platform ON events (platform, pos) WHERE platform IS NOT NULL',
  'CREATE INDEX events_words ON events USING gin (words)',
  // The last signed checkpoint of each log: advanced by compare-and-swap before anybody sees it.
  `CREATE TABLE checkpoints (
     log_id integer PRIMARY KEY,
     size bigint NOT NULL,
     root bytea NOT NULL,
     note text NOT NULL,
     term bigint NOT NULL
   ) WITH (fillfactor = 50)`,
];

/**
 * Makes the tables where there are none, and a row for each log; refuses a store of a newer version or one that does not
 * keep what it acknowledged.
 * @throws StoreError
 */
export async function prepareSchema(
  { query }: PostgresDatabase,
  logs: readonly Pick<OwnLog, 'origin'>[],
): Promise<void> {
  await query.transaction().execute(async (transaction) => {
    await sql`SELECT pg_advisory_xact_lock(${SCHEMA_LOCK})`.execute(transaction);
    const { rows } = await sql<{ found: string | null; fsync: string; pages: string }>`
      SELECT to_regclass(${`${SCHEMA_NAME}.format`})::text AS found,
        current_setting('fsync') AS fsync, current_setting('full_page_writes') AS pages`.execute(transaction);
    const { found, fsync, pages } = rows[0]!;
    if (fsync !== 'on' || pages !== 'on')
      throw new StoreError(
        'PostgreSQL runs without fsync or full_page_writes: no promise would survive a power loss',
      );
    if (found === null) await makeTables(transaction);
    const { version } = await transaction.selectFrom('format').select('version').executeTakeFirstOrThrow();
    if (version > VERSION)
      throw new StoreError(`the store has format ${version}, this version knows ${VERSION}`);
    const known = await transaction.selectFrom('logs').select(['id', 'origin']).execute();
    const origins = new Set(known.map(({ origin }) => origin));
    let last = Math.max(0, ...known.map(({ id }) => id));
    for (const { origin } of logs.filter((log) => !origins.has(log.origin)))
      await transaction.insertInto('logs').values({ id: ++last, origin, size: 0 }).execute();
  });
}

async function makeTables(transaction: Transaction<PostgresTables>): Promise<void> {
  await sql`CREATE SCHEMA IF NOT EXISTS ${sql.id(SCHEMA_NAME)}`.execute(transaction);
  for (const statement of STATEMENTS) await sql.raw(statement).execute(transaction);
  await transaction.insertInto('format').values({ version: VERSION }).execute();
}

/** Deletes the search index; it is filled again from the entries. */
export async function emptyIndex({ query }: PostgresDatabase): Promise<void> {
  await sql`TRUNCATE events`.execute(query);
}
