import { StoreError } from '../log-database.js';
import { FencedError } from '../fenced-error.js';
import type { OwnLog } from '../../own-log.js';
import type { Anomaly } from '../../sequencing/anomalies.js';
import type { OwnStatement } from '../../sequencing/own-events.js';
import { type Commit, type IncomingEvent, Placer, type PlacerOptions } from '../../sequencing/placer.js';
import { CommitBuffer, type StoredPositions } from './commit-buffer.js';
import { commitBuffered } from './commit-statement.js';
import { type PostgresDatabase, sqlState } from './database.js';
import { ensurePartitions } from './partitions.js';
import { readAhead, readOpenGaps } from './read-ahead.js';
import type { PostgresSettings } from './connection.js';
import type pg from 'pg';

/**
 * The sequencer of the PostgreSQL store, for as long as it holds the term. Not re-entrant; nothing is promised unless
 * `commit` returned. After FencedError, or an error without an SQLSTATE (nobody knows whether the commit took place),
 * it is of no use any more: who goes on opens another, which reads what is really there.
 */
export class PostgresCommitter {
  #partitionsUntil = 0;
  #closed = false;

  private constructor(
    private readonly database: PostgresDatabase,
    private readonly client: pg.PoolClient,
    private readonly placer: Placer,
    private readonly buffer: CommitBuffer,
    private readonly settings: { term: number; width: PostgresSettings['partition'] },
  ) {}

  /** @throws FencedError, StoreError */
  static async open(
    database: PostgresDatabase,
    settings: { term: number; width: PostgresSettings['partition'] },
    options: PlacerOptions,
  ): Promise<PostgresCommitter> {
    const client = await database.pool.connect();
    try {
      // Whatever the server's default is, a commit of ours is durable when it returns; stricter settings are kept.
      const { rows } = await client.query<{ value: string }>(
        "SELECT current_setting('synchronous_commit') AS value",
      );
      if (!['on', 'remote_apply'].includes(rows[0]!.value)) await client.query('SET synchronous_commit = on');
      await registerBackend(client, settings.term);
      const buffer = new CommitBuffer(await storedPositions(database, settings.term, options.logs));
      buffer.openGaps = await readOpenGaps(database);
      const placer = new Placer(buffer, buffer, options);
      return new PostgresCommitter(database, client, placer, buffer, settings);
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  get head(): number {
    return this.placer.head;
  }

  note(anomaly: Anomaly, now: number): void {
    this.placer.note(anomaly, now);
  }

  hasDue(now: number): boolean {
    return this.placer.hasDue(now);
  }

  /** Shows that the sequencer lives. @throws FencedError */
  async beat(): Promise<void> {
    const { rowCount } = await this.client.query({
      name: 'beat',
      text: 'UPDATE sequencer SET beat = beat + 1 WHERE term = $1',
      values: [this.settings.term],
    });
    if (rowCount !== 1) throw new FencedError('the log is sequenced by another process now');
  }

  /** @throws FencedError; what `pg` throws: with an SQLSTATE nothing is stored and the state is as before */
  async commit(
    events: readonly IncomingEvent[],
    statements: readonly OwnStatement[],
    now: number,
    last = false,
  ): Promise<Commit> {
    const from = this.placer.head;
    const time = this.placer.timeOf(now);
    if (time >= this.#partitionsUntil) await this.#partitions(time);
    try {
      await readAhead(this.database, this.placer, this.buffer, events);
      const commit = this.placer.place(events, statements, now, last);
      const writes = this.buffer.writes();
      if (writes.entries.length > 0 || writes.epochs.length > 0) {
        const { term } = this.settings;
        const position = { term, from, to: commit.head, nextBatch: this.placer.nextBatch, time };
        await commitBuffered(this.client, position, writes);
      } else await this.beat();
      this.buffer.committed();
      this.placer.confirm();
      return commit;
    } catch (error) {
      this.buffer.discard();
      if (sqlState(error) !== undefined) {
        this.buffer.openGaps = await readOpenGaps(this.database);
        this.placer.undo();
      }
      throw error;
    }
  }

  /** Before the connection is closed in order: that it is gone must not look like the end of the process. */
  async deregister(): Promise<void> {
    await this.client.query('UPDATE sequencer SET backend = 0, beat = beat + 1 WHERE term = $1', [
      this.settings.term,
    ]);
  }

  close(): void {
    if (!this.#closed) this.client.release(true);
    this.#closed = true;
  }

  async #partitions(time: number): Promise<void> {
    const until = await ensurePartitions(this.database.query, time, this.settings.width);
    // The last of them is made anew while there is still one to go.
    this.#partitionsUntil = time + Math.floor((until - time) / 2);
  }
}

/** So that a standby sees at once when this connection is gone. */
async function registerBackend(client: pg.PoolClient, term: number): Promise<void> {
  const { rowCount } = await client.query(
    'UPDATE sequencer SET backend = pg_backend_pid(), beat = beat + 1 WHERE term = $1',
    [term],
  );
  if (rowCount !== 1) throw new FencedError('the log is sequenced by another process now');
}

/** Where the store ended. @throws FencedError, StoreError */
export async function storedPositions(
  { query }: PostgresDatabase,
  term: number,
  logs: readonly OwnLog[],
): Promise<StoredPositions> {
  const rows = await query.selectFrom('logs').selectAll().execute();
  const sequencer = await query.selectFrom('sequencer').selectAll().executeTakeFirstOrThrow();
  if (sequencer.term !== term) throw new FencedError('the log is sequenced by another process now');
  const epochs = await query
    .selectFrom('epochs')
    .select(({ fn }) => fn.max('id').as('last'))
    .executeTakeFirst();
  return {
    head: sequencer.head,
    nextBatch: sequencer.next_batch,
    lastTime: sequencer.last_time,
    nextEpoch: (epochs?.last ?? 0) + 1,
    logs: new Map(
      logs.map(({ id, origin }) => {
        const row = rows.find((each) => each.origin === origin);
        if (!row) throw new StoreError(`the store has no log ${origin}`);
        return [id, { row: row.id, size: row.size }];
      }),
    ),
  };
}
