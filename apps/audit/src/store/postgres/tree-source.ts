import type { TreeSource } from '../../tree/tree-source.js';
import type { PostgresDatabase } from './database.js';

/** One log of the PostgreSQL store. */
export function postgresTreeSource({ query }: PostgresDatabase, row: number): TreeSource {
  return {
    committed: async () => {
      const { size } = await query
        .selectFrom('logs')
        .select('size')
        .where('id', '=', row)
        .executeTakeFirstOrThrow();
      return size;
    },
    entries: async (start, end) => {
      const rows = await query
        .selectFrom('entries')
        .select('entry')
        .where('log_id', '=', row)
        .where('idx', '>=', start)
        .where('idx', '<', end)
        .orderBy('idx')
        .execute();
      return rows.map(({ entry }) => entry);
    },
  };
}

/** Row ids of logs by their origins. */
export async function logRows({ query }: PostgresDatabase): Promise<Map<string, number>> {
  const rows = await query.selectFrom('logs').select(['id', 'origin']).execute();
  return new Map(rows.map(({ id, origin }) => [origin, id]));
}
