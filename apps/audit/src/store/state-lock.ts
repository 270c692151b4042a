import { ConfigurationError } from '#platform';
import { DatabaseSync } from 'node:sqlite';

/**
 * Holds the state folder for this process alone. Two sequencers on one folder would give one index to two events.
 * The lock is SQLite's file lock, which the kernel releases however the process ends.
 * @throws ConfigurationError if another process has it
 */
export class StateLock {
  private constructor(private readonly database: DatabaseSync) {}

  static acquire(path: string): StateLock {
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec('PRAGMA journal_mode = DELETE');
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (/locked|busy/i.test((error as Error).message)) {
        throw new ConfigurationError([
          { variable: 'SIEGEL_STATE_DIR', message: 'is in use by another audit process' },
        ]);
      }
      throw error;
    }
    return new StateLock(database);
  }

  release(): void {
    this.database.exec('ROLLBACK');
    this.database.close();
  }
}
