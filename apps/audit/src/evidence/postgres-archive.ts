import { SiegelError } from '#contracts';
import { type Kysely, sql } from 'kysely';
import { FencedError } from '../store/fenced-error.js';
import type { PostgresDatabase } from '../store/postgres/database.js';
import type { ArchiveLimits, ArchiveReader, ArchiveWriter, EvidenceInfo } from './archive.js';
import type { EvidenceCipher } from './evidence-cipher.js';
import { type ArchiveTables, prepareArchive } from './postgres-archive-tables.js';
import { PostgresArchiveWriter } from './postgres-archive-writer.js';

/** Kept evidence beside the log in PostgreSQL: every replica gives it out, the one that sequences keeps it. */
export class PostgresArchive implements ArchiveReader {
  #tables: Promise<Kysely<ArchiveTables>> | undefined;

  constructor(
    private readonly database: PostgresDatabase,
    private readonly cipher: EvidenceCipher,
    private readonly limits: ArchiveLimits,
    private readonly now: () => number = Date.now,
  ) {}

  async info(sha256: string): Promise<EvidenceInfo | undefined> {
    const tables = await this.#ready();
    const row = await answered(
      tables
        .selectFrom('evidence')
        .leftJoin('evidence_collateral', 'evidence_collateral.id', 'evidence.collateral')
        .select(['size', 'evidence.stored', 'key', 'collateral', 'evidence_collateral.id as held'])
        .where('sha256', '=', Buffer.from(sha256, 'hex'))
        .where('evidence.stored', '>=', this.#oldest())
        .executeTakeFirst(),
    );
    return (
      row && {
        sha256,
        size: row.size,
        stored: row.stored,
        readable: this.cipher.has(row.key.toString('hex')),
        collateral: row.collateral?.toString('hex'),
        collateralHeld: row.held !== null,
      }
    );
  }

  async read(sha256: string): Promise<Buffer | undefined> {
    const tables = await this.#ready();
    const row = await answered(
      tables
        .selectFrom('evidence')
        .select(['key', 'sealed'])
        .where('sha256', '=', Buffer.from(sha256, 'hex'))
        .where('stored', '>=', this.#oldest())
        .executeTakeFirst(),
    );
    return row && this.cipher.open(sha256, row.key.toString('hex'), row.sealed);
  }

  async collateral(id: string): Promise<string | undefined> {
    const tables = await this.#ready();
    const row = await answered(
      tables
        .selectFrom('evidence_collateral')
        .select('bundle')
        .where('id', '=', Buffer.from(id, 'hex'))
        .executeTakeFirst(),
    );
    return row?.bundle;
  }

  /** On whichever replica an administrator asks for it: nothing of the log depends on it. */
  async erase(sha256: string): Promise<boolean> {
    const tables = await this.#ready();
    const { numDeletedRows } = await answered(
      tables
        .deleteFrom('evidence')
        .where('sha256', '=', Buffer.from(sha256, 'hex'))
        .executeTakeFirstOrThrow(),
    );
    return numDeletedRows > 0n;
  }

  /**
   * Begins to keep under the term in which this process sequences the log. From then on a writer of a lower term keeps and removes
   * nothing, however long its process was paused.
   * @throws FencedError if another process has the log already
   */
  async claim(term: number): Promise<ArchiveWriter> {
    const tables = await this.#ready();
    const { rows } = await sql`
      UPDATE evidence_progress SET term = ${term}::bigint
      WHERE term <= ${term}::bigint AND EXISTS (SELECT FROM sequencer WHERE term = ${term}::bigint)
      RETURNING one`.execute(tables);
    if (rows.length !== 1) throw new FencedError('evidence is kept by another process now');
    return new PostgresArchiveWriter(tables, term, this.cipher, this.limits, this.now);
  }

  close(): Promise<void> {
    return this.database.close();
  }

  #oldest(): number {
    return this.now() - this.limits.maxAgeMs;
  }

  /** The tables; made at the first use that reaches the database. */
  #ready(): Promise<Kysely<ArchiveTables>> {
    this.#tables ??= answered(prepareArchive(this.database)).catch((error: unknown) => {
      this.#tables = undefined;
      throw error;
    });
    return this.#tables;
  }
}

/** @throws SiegelError AUDIT_STORE_UNAVAILABLE */
async function answered<T>(query: Promise<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw new SiegelError('AUDIT_STORE_UNAVAILABLE', { cause: error });
  }
}
