import { sql } from 'kysely';
import type { PostgresDatabase } from './database.js';

/** Who sequences the log, as the store says. */
export interface Holder {
  term: number;
  /** Empty: nobody, the former one has stepped down. */
  holder: string;
  beat: number;
  /** Whether its connection stands; undefined while it has not said which. */
  connected: boolean | undefined;
}

/**
 * The right to sequence, as one row of the store. A term has one holder for ever: it begins with a compare-and-swap, and
 * every commit and checkpoint is compared with it. The beat decides only when somebody else may try; should two processes
 * both believe that they lead, whatever their clocks and pauses, the row says which one's commits take place.
 */
export class Lease {
  constructor(private readonly database: PostgresDatabase) {}

  async observe(): Promise<Holder> {
    const row = await this.database.query
      .selectFrom('sequencer')
      .select(['term', 'holder', 'beat', 'backend'])
      .select(
        sql<boolean>`EXISTS (SELECT 1 FROM pg_stat_activity
          WHERE pid = sequencer.backend AND datname = current_database())`.as('found'),
      )
      .executeTakeFirstOrThrow();
    const { term, holder, beat, backend, found } = row;
    return { term, holder, beat, connected: backend === 0 ? undefined : found };
  }

  /**
   * Begins the next term if nothing has changed since `seen`; its number.
   * @throws what `pg` throws where another transaction holds the row for longer than `lockWaitMs`
   */
  async claim(seen: Holder, holder: string, lockWaitMs = 1_000): Promise<number | undefined> {
    return this.database.query.transaction().execute(async (transaction) => {
      await sql`SELECT set_config('lock_timeout', ${`${lockWaitMs}ms`}, true)`.execute(transaction);
      const row = await transaction
        .updateTable('sequencer')
        .set((eb) => ({ term: eb('term', '+', 1), holder, backend: 0, beat: eb('beat', '+', 1) }))
        .where('term', '=', seen.term)
        .where('beat', '=', seen.beat)
        .returning('term')
        .executeTakeFirst();
      return row?.term;
    });
  }

  async holds(term: number): Promise<boolean> {
    const row = await this.database.query
      .selectFrom('sequencer')
      .select('term')
      .where('term', '=', term)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Steps down, so that a standby need not wait. */
  async release(term: number): Promise<void> {
    await this.database.query
      .updateTable('sequencer')
      .set({ holder: '', backend: 0 })
      .where('term', '=', term)
      .execute();
  }

  /**
   * Ends the connection of the former holder, which may be stuck in the middle of sending a commit and hold the row.
   * Its own role may do that. Only after a claim had to wait too long.
   */
  async evict(): Promise<void> {
    const { backend } = await this.database.query
      .selectFrom('sequencer')
      .select('backend')
      .executeTakeFirstOrThrow();
    if (backend !== 0)
      await this.database.query
        .selectNoFrom((eb) => eb.fn<boolean>('pg_terminate_backend', [eb.val(backend)]).as('ended'))
        .execute();
  }
}
