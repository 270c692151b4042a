import type { TreeHead } from '#transparency';
import { DatabaseSync, type StatementSync } from 'node:sqlite';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS heads (
  origin TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  root BLOB NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS successions (
  id INTEGER PRIMARY KEY,
  origin TEXT NOT NULL,
  note TEXT NOT NULL UNIQUE
) STRICT`;

/** The checkpoint that was cosigned last for a log, as the log signed it. */
export interface CosignedHead extends TreeHead {
  note: string;
}

/**
 * What a witness must never forget: the largest tree it cosigned for each log. The file lock of the transaction makes
 * asking and recording one step, also against a second process on the same file; COMMIT returns when it is fsynced.
 */
export class WitnessStore {
  private readonly select: StatementSync;
  private readonly upsert: StatementSync;

  private constructor(private readonly database: DatabaseSync) {
    this.select = database.prepare('SELECT size, root, note FROM heads WHERE origin = ?');
    this.upsert = database.prepare(
      `INSERT INTO heads (origin, size, root, note) VALUES (?, ?, ?, ?)
       ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note`,
    );
  }

  static open(path: string): WitnessStore {
    const database = new DatabaseSync(path, { timeout: 5_000 });
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA cache_size = -256');
    database.exec(SCHEMA);
    return new WitnessStore(database);
  }

  latest(origin: string): CosignedHead | undefined {
    const row = this.select.get(origin) as { size: number; root: Uint8Array; note: string } | undefined;
    return row && { size: row.size, root: Buffer.from(row.root), note: row.note };
  }

  /** Records a head; durable when this returns. Call it inside {@link exclusively}. */
  record(origin: string, { size, root, note }: CosignedHead): void {
    this.upsert.run(origin, size, root, note);
  }

  /** The successions of a log's key that were accepted, in their order. */
  successions(origin: string): string[] {
    const rows = this.database
      .prepare('SELECT note FROM successions WHERE origin = ? ORDER BY id')
      .all(origin);
    return (rows as { note: string }[]).map(({ note }) => note);
  }

  /** Durable when this returns. */
  addSuccession(origin: string, note: string): void {
    this.database
      .prepare('INSERT INTO successions (origin, note) VALUES (?, ?) ON CONFLICT DO NOTHING')
      .run(origin, note);
  }

  /** Runs `step` while nobody else can read or record a head to build on; what it recorded is then durable. */
  exclusively<T>(step: () => T): T {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      const result = step();
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.database.close();
  }
}
