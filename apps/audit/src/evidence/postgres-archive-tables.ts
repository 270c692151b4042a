import { type Kysely, sql } from 'kysely';
import type { PostgresDatabase } from '../store/postgres/database.js';

/** Advisory lock under which the tables are made: replicas start at the same time. */
const TABLES_LOCK = 0x51e6e2;

/** Tables of kept evidence, in the schema of the log and apart from its tables: they exist where evidence was ever kept. */
export interface ArchiveTables {
  evidence: {
    sha256: Buffer;
    stored: number;
    size: number;
    collateral: Buffer | null;
    key: Buffer;
    sealed: Buffer;
  };
  evidence_collateral: { id: Buffer; stored: number; bundle: string };
  evidence_progress: { one: boolean; term: number; mark: number | null };
}

const STATEMENTS = [
  `CREATE TABLE IF NOT EXISTS evidence (
     sha256 bytea PRIMARY KEY,
     stored bigint NOT NULL,
     size integer NOT NULL,
     collateral bytea,
     key bytea NOT NULL,
     sealed bytea NOT NULL
   )`,
  // What is encrypted does not shrink.
  'ALTER TABLE evidence ALTER COLUMN sealed SET STORAGE EXTERNAL',
  'CREATE INDEX IF NOT EXISTS evidence_stored ON evidence (stored, sha256)',
  'CREATE INDEX IF NOT EXISTS evidence_of_collateral ON evidence (collateral) WHERE collateral IS NOT NULL',
  // Public facts: Intel publishes all of it.
  'CREATE TABLE IF NOT EXISTS evidence_collateral (id bytea PRIMARY KEY, stored bigint NOT NULL, bundle text NOT NULL)',
  // The one row whose term decides who keeps; a row of its own, so that no group commit of the log waits for evidence.
  `CREATE TABLE IF NOT EXISTS evidence_progress (
     one boolean PRIMARY KEY DEFAULT true CHECK (one),
     term bigint NOT NULL,
     mark bigint
   ) WITH (fillfactor = 50)`,
  'INSERT INTO evidence_progress VALUES (true, 0, NULL) ON CONFLICT DO NOTHING',
];

/** Makes the tables where there are none. The schema is that of the log and must exist. */
export async function prepareArchive(database: PostgresDatabase): Promise<Kysely<ArchiveTables>> {
  await database.query.transaction().execute(async (transaction) => {
    await sql`SELECT pg_advisory_xact_lock(${TABLES_LOCK})`.execute(transaction);
    const { rows } = await sql<{ found: boolean }>`
      SELECT to_regclass('evidence_progress') IS NOT NULL AS found`.execute(transaction);
    if (rows[0]!.found) return;
    for (const statement of STATEMENTS) await sql.raw(statement).execute(transaction);
  });
  return database.query as unknown as Kysely<ArchiveTables>;
}
