import type { PostgresDatabase } from '../store/postgres/database.js';
import { Lease } from '../store/postgres/lease.js';
import type { DistributionMark } from './high-water-mark.js';

/** How far the events are distributed, for all replicas: each goes on where the former leader stopped. */
export class SharedMark implements DistributionMark {
  #position: number;
  #written: number;

  private constructor(
    private readonly database: PostgresDatabase,
    private readonly term: number,
    position: number,
  ) {
    this.#position = this.#written = position;
  }

  static async open(database: PostgresDatabase, term: number): Promise<SharedMark> {
    const { distributed, head } = await database.query
      .selectFrom('sequencer')
      .select(['distributed', 'head'])
      .executeTakeFirstOrThrow();
    return new SharedMark(database, term, Math.min(distributed, head));
  }

  get position(): number {
    return this.#position;
  }

  advance(position: number): void {
    if (position > this.#position) this.#position = position;
  }

  /** Whether the term is still under way. */
  mayAdvance(): Promise<boolean> {
    return new Lease(this.database).holds(this.term);
  }

  async save(): Promise<void> {
    const position = this.#position;
    if (this.#written === position) return;
    await this.database.query
      .updateTable('sequencer')
      .set({ distributed: position })
      .where('term', '=', this.term)
      .execute();
    this.#written = position;
  }
}
