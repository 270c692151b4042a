import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { EvidenceCipher } from './evidence-cipher.js';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS evidence (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  stored INTEGER NOT NULL,
  size INTEGER NOT NULL,
  collateral BLOB,
  sealed BLOB NOT NULL
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
const PURGE_ROWS = 500;
/** Collateral that no evidence names is kept for that long: its evidence may be on its way. */
const ORPHAN_MS = 3_600_000;

/** Evidence to be kept. */
export interface KeptEvidence {
  sha256: string;
  bytes: Uint8Array;
  /** Id of the collateral, as the event names it. */
  collateral: string | undefined;
}

export interface EvidenceInfo {
  sha256: string;
  size: number;
  /** Unix milliseconds. */
  stored: number;
  collateral: string | undefined;
  collateralHeld: boolean;
}

export interface ArchiveLimits {
  maxAgeMs: number;
  maxBytes: number;
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
  ) {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = NORMAL');
    database.exec('PRAGMA secure_delete = ON');
    database.exec(SCHEMA);
    this.#insert = database.prepare(
      'INSERT INTO evidence (sha256, stored, size, collateral, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#select = database.prepare('SELECT size, stored, collateral, sealed FROM evidence WHERE sha256 = ?');
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
        const sealed = this.cipher.seal(sha256, bytes);
        const id = collateral === undefined ? null : Buffer.from(collateral, 'hex');
        this.#insert.run(Buffer.from(sha256, 'hex'), now, bytes.length, id, sealed);
      }
      this.#setState.run('mark', mark);
    });
  }

  /** Which of these are kept. */
  known(digests: readonly string[]): string[] {
    const select = this.database.prepare('SELECT 1 FROM evidence WHERE sha256 = ?');
    return digests.filter((sha256) => select.get(Buffer.from(sha256, 'hex')) !== undefined);
  }

  info(sha256: string): EvidenceInfo | undefined {
    const row = this.#row(sha256);
    if (!row) return undefined;
    const collateral = row.collateral === null ? undefined : Buffer.from(row.collateral).toString('hex');
    const collateralHeld = collateral !== undefined && this.collateral(collateral) !== undefined;
    return { sha256, size: row.size, stored: row.stored, collateral, collateralHeld };
  }

  /** @throws EvidenceUnreadable */
  read(sha256: string): Buffer | undefined {
    const row = this.#row(sha256);
    return row && this.cipher.open(sha256, row.sealed);
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

  get bytes(): number {
    return (
      this.database.prepare('SELECT coalesce(sum(size), 0) AS sum FROM evidence').get() as { sum: number }
    ).sum;
  }

  /** Removes what is too old, then the oldest of what is too much; how many. */
  purge({ maxAgeMs, maxBytes }: ArchiveLimits, now: number): number {
    let removed = 0;
    const old = this.database.prepare(
      `DELETE FROM evidence WHERE id IN (SELECT id FROM evidence WHERE stored < ? ORDER BY stored LIMIT ${PURGE_ROWS})`,
    );
    for (let changes = PURGE_ROWS; changes === PURGE_ROWS; removed += changes)
      changes = Number(old.run(now - maxAgeMs).changes);
    let bytes = this.bytes;
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
    return removed;
  }

  close(): void {
    this.database.close();
  }

  #row(sha256: string) {
    return this.#select.get(Buffer.from(sha256, 'hex')) as
      { size: number; stored: number; collateral: Uint8Array | null; sealed: Uint8Array } | undefined;
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
