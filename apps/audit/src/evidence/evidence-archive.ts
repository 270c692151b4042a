import type { DatabaseSync, StatementSync } from 'node:sqlite';
import {
  type ArchiveLimits,
  type EvidenceInfo,
  type KeptEvidence,
  ORPHAN_MS,
  PURGE_ROWS,
  type Purged,
} from './archive.js';
import type { EvidenceCipher } from './evidence-cipher.js';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS evidence (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  stored INTEGER NOT NULL,
  size INTEGER NOT NULL,
  collateral BLOB,
  sealed BLOB NOT NULL,
  key BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS evidence_stored ON evidence (stored);
CREATE INDEX IF NOT EXISTS evidence_collateral ON evidence (collateral) WHERE collateral IS NOT NULL;
-- Public facts: Intel publishes all of it.
CREATE TABLE IF NOT EXISTS collateral (
  id BLOB PRIMARY KEY,
  stored INTEGER NOT NULL,
  bundle TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;
interface Row {
  size: number;
  stored: number;
  collateral: Uint8Array | null;
  key: Uint8Array | null;
  sealed: Uint8Array;
}

/**
 * Evidence and collateral in a database of their own beside the log, by their digests. How far the log was looked through lies in
 * the same transaction as what was found, so that a power loss, which may cost the last transactions, makes the log be looked
 * through again instead of forgetting.
 */
export class EvidenceArchive {
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #setState: StatementSync;

  constructor(
    private readonly database: DatabaseSync,
    private readonly cipher: EvidenceCipher,
    private readonly limits: ArchiveLimits,
  ) {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
    database.exec('PRAGMA secure_delete = ON');
    database.exec(SCHEMA);
    // Earlier versions knew one key.
    const columns = database.prepare('PRAGMA table_info(evidence)').all() as { name: string }[];
    if (!columns.some(({ name }) => name === 'key'))
      database.exec('ALTER TABLE evidence ADD COLUMN key BLOB');
    // What came again and lies there under a key that is gone is worth what was just received.
    this.#insert = database.prepare(
      `INSERT INTO evidence (sha256, stored, size, collateral, key, sealed) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (sha256) DO UPDATE SET key = excluded.key, sealed = excluded.sealed
       WHERE key IS NOT NULL AND hex(key) NOT IN (${cipher.keyIds.map((id) => `'${id.toUpperCase()}'`).join()})`,
    );
    this.#select = database.prepare(
      'SELECT size, stored, collateral, key, sealed FROM evidence WHERE sha256 = ? AND stored >= ?',
    );
    this.#setState = database.prepare(
      'INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    );
  }

  /** Position up to which the log was looked through; undefined before the first time. */
  get mark(): number | undefined {
    const row = this.database.prepare("SELECT value FROM state WHERE name = 'mark'").get();
    return (row as { value: number } | undefined)?.value;
  }

  /** Keeps evidence and remembers how far the log was looked through, together or not at all. */
  commit(evidence: readonly KeptEvidence[], mark: number, now: number): void {
    this.#transaction(() => {
      for (const { sha256, bytes, collateral } of evidence) {
        const { key, sealed } = this.cipher.seal(sha256, bytes);
        const id = collateral === undefined ? null : Buffer.from(collateral, 'hex');
        this.#insert.run(Buffer.from(sha256, 'hex'), now, bytes.length, id, Buffer.from(key, 'hex'), sealed);
      }
      this.#setState.run('mark', mark);
    });
  }

  /** Which of these are kept and can be read. */
  known(digests: readonly string[], now: number): string[] {
    return digests.filter((sha256) => this.info(sha256, now)?.readable);
  }

  info(sha256: string, now: number): EvidenceInfo | undefined {
    const row = this.#row(sha256, now);
    if (!row) return undefined;
    const collateral = row.collateral === null ? undefined : Buffer.from(row.collateral).toString('hex');
    const collateralHeld = collateral !== undefined && this.collateral(collateral) !== undefined;
    const readable = this.cipher.has(keyOf(row));
    return { sha256, size: row.size, stored: row.stored, readable, collateral, collateralHeld };
  }

  /** @throws SiegelError EVIDENCE_KEY_UNKNOWN, EVIDENCE_DAMAGED */
  read(sha256: string, now: number): Buffer | undefined {
    const row = this.#row(sha256, now);
    return row && this.cipher.open(sha256, keyOf(row), row.sealed);
  }

  /** Whether there was any. */
  erase(sha256: string): boolean {
    const { changes } = this.database
      .prepare('DELETE FROM evidence WHERE sha256 = ?')
      .run(Buffer.from(sha256, 'hex'));
    // What was deleted must not stay readable in the log of writes.
    this.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return Number(changes) > 0;
  }

  collateral(id: string): string | undefined {
    const row = this.database
      .prepare('SELECT bundle FROM collateral WHERE id = ?')
      .get(Buffer.from(id, 'hex'));
    return (row as { bundle: string } | undefined)?.bundle;
  }

  putCollateral(id: string, bundle: string, now: number): void {
    this.database
      .prepare('INSERT INTO collateral VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
      .run(Buffer.from(id, 'hex'), now, bundle);
  }

  /** Removes what is too old, then the oldest of what is too much. */
  purge(now: number): Purged {
    const { maxAgeMs, maxBytes } = this.limits;
    let removed = 0;
    const old = this.database.prepare(
      `DELETE FROM evidence WHERE id IN (SELECT id FROM evidence WHERE stored < ? ORDER BY stored LIMIT ${PURGE_ROWS})`,
    );
    for (let changes = PURGE_ROWS; changes === PURGE_ROWS; removed += changes)
      changes = Number(old.run(now - maxAgeMs).changes);
    let { bytes } = this.#sums();
    const oldest = this.database.prepare('SELECT id, size FROM evidence ORDER BY stored, id LIMIT 1');
    const remove = this.database.prepare('DELETE FROM evidence WHERE id = ?');
    this.#transaction(() => {
      while (bytes > maxBytes) {
        const row = oldest.get() as { id: number; size: number } | undefined;
        if (!row) break;
        remove.run(row.id);
        bytes -= row.size;
        removed++;
      }
    });
    this.database
      .prepare(
        `DELETE FROM collateral WHERE stored < ? AND NOT EXISTS
         (SELECT 1 FROM evidence WHERE evidence.collateral = collateral.id)`,
      )
      .run(now - ORPHAN_MS);
    this.database.exec('PRAGMA incremental_vacuum(2000)');
    return { removed, ...this.#sums() };
  }

  close(): void {
    this.database.close();
  }

  #sums(): { bytes: number; unreadable: number } {
    const rows = this.database
      .prepare('SELECT key, count(*) AS count, sum(size) AS bytes FROM evidence GROUP BY key')
      .all() as { key: Uint8Array | null; count: number; bytes: number }[];
    const lost = rows.filter((row) => !this.cipher.has(keyOf(row)));
    return {
      bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
      unreadable: lost.reduce((sum, { count }) => sum + count, 0),
    };
  }

  #row(sha256: string, now: number): Row | undefined {
    const row = this.#select.get(Buffer.from(sha256, 'hex'), now - this.limits.maxAgeMs);
    return row as Row | undefined;
  }

  #transaction(work: () => void): void {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.database.exec('COMMIT');
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }
}

const keyOf = ({ key }: { key: Uint8Array | null }): string | undefined =>
  key === null ? undefined : Buffer.from(key).toString('hex');
