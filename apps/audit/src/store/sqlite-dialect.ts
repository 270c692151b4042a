import { type Dialect, SqliteDialect } from 'kysely';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

/** Kysely over an open `node:sqlite` connection. Compiled statements are kept, as the service has few of them. */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  const statements = new Map<string, ReturnType<typeof adapt>>();
  return new SqliteDialect({
    database: {
      prepare(sql: string) {
        let statement = statements.get(sql);
        if (!statement) {
          statement = adapt(database, sql);
          if (statements.size >= 200) statements.clear();
          statements.set(sql, statement);
        }
        return statement;
      },
      close: () => database.close(),
    },
  });
}

function adapt(database: DatabaseSync, sql: string) {
  const statement = database.prepare(sql);
  const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters: readonly unknown[]) => statement.all(...values(parameters)),
    run: (parameters: readonly unknown[]) => statement.run(...values(parameters)),
    iterate: (parameters: readonly unknown[]) => statement.iterate(...values(parameters)),
  };
}
