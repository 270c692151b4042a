import { DatabaseSync, type StatementSync } from 'node:sqlite';

/**
 * Pages of the write-ahead log after which the writer itself checkpoints (64 MiB): only if nobody else did. SQLite's own default of
 * 1,000 pages would put two fsyncs and the writing of all these pages into one commit in some hundred.
 */
export const WRITER_CHECKPOINT_PAGES = 16_384;

const EVERY_MS = 500;

/**
 * Moves committed pages from the write-ahead log into the database file beside the writer, which goes on meanwhile
 * (https://www.sqlite.org/wal.html#ckpt, passive checkpoints). Durability is the write-ahead log's, with or without it.
 */
export class WalCheckpointer {
  readonly #database: DatabaseSync;
  readonly #passive: StatementSync;
  readonly #version: StatementSync;
  readonly #timer: NodeJS.Timeout;
  #seen: unknown;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
    this.#database.exec('PRAGMA wal_autocheckpoint = 0');
    this.#passive = this.#database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.#version = this.#database.prepare('PRAGMA data_version');
    this.#timer = setInterval(() => this.checkpoint(), EVERY_MS);
    this.#timer.unref();
  }

  /** Does nothing if nothing was committed since. */
  checkpoint(): void {
    try {
      const { data_version: version } = this.#version.get() as { data_version: unknown };
      if (version === this.#seen) return;
      this.#passive.get();
      this.#seen = version;
    } catch {
      // A full disk, a busy database: the next time, or the writer itself, does it.
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#database.close();
  }
}
