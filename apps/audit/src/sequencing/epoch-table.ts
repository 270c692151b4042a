import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochRow, EpochStore } from './placing-store.js';

/** The table `epochs` of the embedded store. Everything runs inside the caller's transaction. */
export class EpochTable implements EpochStore {
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #selectOpen: StatementSync;

  constructor(database: DatabaseSync) {
    this.#select = database.prepare(
      'SELECT id, next_seq, missing FROM epochs WHERE emitter = ? AND epoch = ?',
    );
    this.#insert = database.prepare(
      "INSERT INTO epochs (emitter, epoch, next_seq, missing) VALUES (?, ?, 1, '[]') RETURNING id",
    );
    this.#update = database.prepare('UPDATE epochs SET next_seq = ?, missing = ? WHERE id = ?');
    this.#selectOpen = database.prepare(
      'SELECT id, emitter, epoch, next_seq, missing FROM epochs WHERE missing LIKE \'%"reported":false%\'',
    );
  }

  load(emitter: string, epoch: string): EpochRow | undefined {
    return this.#select.get(emitter, epoch) as EpochRow | undefined;
  }

  create(emitter: string, epoch: string): number {
    return (this.#insert.get(emitter, epoch) as { id: number }).id;
  }

  save(id: number, next: number, missing: string): void {
    this.#update.run(next, missing, id);
  }

  withOpenGaps(): (EpochRow & { emitter: string; epoch: string })[] {
    return this.#selectOpen.all() as unknown as (EpochRow & { emitter: string; epoch: string })[];
  }
}
