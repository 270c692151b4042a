import { type Kysely, sql } from 'kysely';
import { FencedError } from '../store/fenced-error.js';
import {
  type ArchiveLimits,
  type ArchiveWriter,
  type KeptEvidence,
  ORPHAN_MS,
  PURGE_ROWS,
  type Purged,
} from './archive.js';
import type { EvidenceCipher } from './evidence-cipher.js';
import type { ArchiveTables } from './postgres-archive-tables.js';

/** Bytes of evidence that one statement carries. */
const STATEMENT_BYTES = 2 * 1024 * 1024;

/**
 * Keeps evidence under one term. Each change is one statement, hence one transaction that the server ends by itself, and joined to the
 * row that has the term: a process that was paused leaves no lock, and changes nothing once the next term has claimed the archive.
 */
export class PostgresArchiveWriter implements ArchiveWriter {
  constructor(
    private readonly tables: Kysely<ArchiveTables>,
    private readonly term: number,
    private readonly cipher: EvidenceCipher,
    private readonly limits: ArchiveLimits,
    private readonly now: () => number,
  ) {}

  async mark(): Promise<number | undefined> {
    const row = await this.tables
      .selectFrom('evidence_progress')
      .select('mark')
      .where('term', '=', this.term)
      .executeTakeFirst();
    if (!row) throw fenced();
    return row.mark ?? undefined;
  }

  /** What is much goes in several statements, the mark with the last of them. */
  async commit(evidence: readonly KeptEvidence[], mark: number): Promise<void> {
    let part: KeptEvidence[] = [];
    let bytes = 0;
    for (const piece of evidence) {
      if (part.length > 0 && bytes + piece.bytes.length > STATEMENT_BYTES) {
        await this.#commit(part, null);
        [part, bytes] = [[], 0];
      }
      part.push(piece);
      bytes += piece.bytes.length;
    }
    await this.#commit(part, mark);
  }

  async known(digests: readonly string[]): Promise<string[]> {
    if (digests.length === 0) return [];
    const rows = await this.tables
      .selectFrom('evidence')
      .select('sha256')
      .where(
        'sha256',
        'in',
        digests.map((sha256) => Buffer.from(sha256, 'hex')),
      )
      .where('stored', '>=', this.now() - this.limits.maxAgeMs)
      .where('key', 'in', this.#keyIds())
      .execute();
    return rows.map(({ sha256 }) => sha256.toString('hex'));
  }

  async putCollateral(id: string, bundle: string): Promise<void> {
    await this.#require();
    await sql`
      WITH ${this.#held}
      INSERT INTO evidence_collateral (id, stored, bundle)
      SELECT ${Buffer.from(id, 'hex')}::bytea, ${this.now()}::bigint, ${bundle}::text FROM held
      ON CONFLICT DO NOTHING`.execute(this.tables);
  }

  async purge(): Promise<Purged> {
    await this.#require();
    const { maxAgeMs, maxBytes } = this.limits;
    const now = this.now();
    let removed = await this.#remove(
      sql`SELECT sha256 FROM evidence WHERE stored < ${now - maxAgeMs}::bigint ORDER BY stored LIMIT ${sql.lit(PURGE_ROWS)}`,
    );
    if ((await this.#sums()).bytes > maxBytes)
      removed += await this.#remove(sql`
        SELECT sha256 FROM (
          SELECT sha256, sum(size) OVER (ORDER BY stored DESC, sha256 DESC) AS total FROM evidence
        ) AS newest WHERE total > ${maxBytes}::bigint LIMIT ${sql.lit(PURGE_ROWS)}`);
    await sql`
      WITH ${this.#held}
      DELETE FROM evidence_collateral c USING held WHERE c.stored < ${now - ORPHAN_MS}::bigint
        AND NOT EXISTS (SELECT FROM evidence WHERE evidence.collateral = c.id)`.execute(this.tables);
    return { removed, ...(await this.#sums()) };
  }

  /** What came again and lies there under a key that is gone is worth what was just received. */
  async #commit(evidence: readonly KeptEvidence[], mark: number | null): Promise<void> {
    const sealed = evidence.map(({ sha256, bytes }) => this.cipher.seal(sha256, bytes));
    const bytea = (values: (Buffer | null)[]) => sql`${values}::bytea[]`;
    const { rows } = await sql<{ fenced: number }>`
      WITH fence AS (
        UPDATE evidence_progress SET mark = coalesce(${mark}::bigint, mark) WHERE term = ${this.term}::bigint RETURNING one
      ), kept AS (
        INSERT INTO evidence (sha256, stored, size, collateral, key, sealed)
        SELECT e.sha256, ${this.now()}::bigint, e.size, e.collateral, e.key, e.sealed
        FROM unnest(
          ${bytea(evidence.map(({ sha256 }) => Buffer.from(sha256, 'hex')))},
          ${evidence.map(({ bytes }) => bytes.length)}::int[],
          ${bytea(evidence.map(({ collateral }) => (collateral === undefined ? null : Buffer.from(collateral, 'hex'))))},
          ${bytea(sealed.map(({ key }) => Buffer.from(key, 'hex')))},
          ${bytea(sealed.map((each) => each.sealed))}
        ) AS e(sha256, size, collateral, key, sealed), fence
        ON CONFLICT (sha256) DO UPDATE SET key = excluded.key, sealed = excluded.sealed
          WHERE NOT evidence.key = ANY (${bytea(this.#keyIds())})
      )
      SELECT count(*)::int AS fenced FROM fence`.execute(this.tables);
    if (rows[0]?.fenced !== 1) throw fenced();
  }

  /** Removes what the query names, some at a time until there is no more; how many. */
  async #remove(query: ReturnType<typeof sql>): Promise<number> {
    for (let removed = 0; ;) {
      const { numAffectedRows } = await sql`
        WITH ${this.#held}
        DELETE FROM evidence USING held WHERE sha256 IN (${query})`.execute(this.tables);
      removed += Number(numAffectedRows ?? 0n);
      if (Number(numAffectedRows ?? 0n) < PURGE_ROWS) return removed;
    }
  }

  async #sums(): Promise<{ bytes: number; unreadable: number }> {
    const rows = await this.tables
      .selectFrom('evidence')
      .select((eb) => ['key', eb.fn.countAll<number>().as('count'), eb.fn.sum<number>('size').as('bytes')])
      .groupBy('key')
      .execute();
    const lost = rows.filter(({ key }) => !this.cipher.has(key.toString('hex')));
    return {
      bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
      unreadable: lost.reduce((sum, { count }) => sum + count, 0),
    };
  }

  /** The row of the term, held until the statement ends: a claim that comes meanwhile waits for it. */
  get #held() {
    return sql`held AS (SELECT one FROM evidence_progress WHERE term = ${this.term}::bigint FOR SHARE)`;
  }

  async #require(): Promise<void> {
    await this.mark();
  }

  #keyIds(): Buffer[] {
    return this.cipher.keyIds.map((id) => Buffer.from(id, 'hex'));
  }
}

const fenced = (): FencedError => new FencedError('evidence is kept by another process now');
