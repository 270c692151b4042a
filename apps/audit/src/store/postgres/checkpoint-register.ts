import type { TreeHead } from '#transparency';
import { sql } from 'kysely';
import type { PostgresDatabase } from './database.js';
import { FencedError } from '../fenced-error.js';
import type { CheckpointRegister } from '../../tree/checkpoint-register.js';

/** The last signed checkpoint of one log, in the store that also has the term: between the tiles and the publication. */
export function postgresCheckpoints(
  database: PostgresDatabase,
  row: number,
  term: number,
): CheckpointRegister {
  return {
    async read() {
      const known = await database.query
        .selectFrom('checkpoints')
        .select(['size', 'root', 'note'])
        .where('log_id', '=', row)
        .executeTakeFirst();
      return known;
    },
    async require() {
      const held = await database.query
        .selectFrom('sequencer')
        .select('term')
        .where('term', '=', term)
        .executeTakeFirst();
      if (!held) throw new FencedError('the log is sequenced by another process now');
    },
    async advance(from: number, to: TreeHead, note: string) {
      // The share lock makes a claim wait, so that none can begin between the comparison and the write.
      const { rows } = await sql<{ size: number }>`
        WITH fence AS (SELECT one FROM sequencer WHERE term = ${term} FOR SHARE)
        INSERT INTO checkpoints AS known (log_id, size, root, note, term)
        SELECT ${row}::int, ${to.size}::bigint, ${to.root}::bytea, ${note}::text, ${term}::bigint FROM fence
        ON CONFLICT (log_id) DO UPDATE
          SET size = excluded.size, root = excluded.root, note = excluded.note, term = excluded.term
          WHERE known.size = ${from}::bigint
        RETURNING size`.execute(database.query);
      if (rows.length !== 1) throw new FencedError('the checkpoint was advanced by another process');
    },
  };
}
