import type { DatabaseSync } from 'node:sqlite';
import type { Anomaly } from './anomalies.js';
import { EntryTable } from './entry-table.js';
import { EpochTable } from './epoch-table.js';
import type { OwnStatement } from './own-events.js';
import { type Commit, type IncomingEvent, Placer, type PlacerOptions } from './placer.js';

/**
 * The one sequencer of the embedded store: commits what came together in one fsynced transaction. Not re-entrant;
 * nothing is promised unless `commit` returned.
 */
export class Committer {
  readonly #placer: Placer;

  constructor(
    private readonly database: DatabaseSync,
    options: PlacerOptions,
  ) {
    this.#placer = new Placer(new EntryTable(database, options.logs), new EpochTable(database), options);
  }

  get head(): number {
    return this.#placer.head;
  }

  note(anomaly: Anomaly, now: number): void {
    this.#placer.note(anomaly, now);
  }

  hasDue(now: number): boolean {
    return this.#placer.hasDue(now);
  }

  /**
   * Commits a group. `statements` are events of the audit service itself.
   * @throws whatever SQLite throws; the transaction is rolled back and the state is as before
   */
  commit(
    events: readonly IncomingEvent[],
    statements: readonly OwnStatement[],
    now: number,
    last = false,
  ): Commit {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      const commit = this.#placer.place(events, statements, now, last);
      this.database.exec('COMMIT');
      this.#placer.confirm();
      return commit;
    } catch (error) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      this.#placer.undo();
      throw error;
    }
  }
}
