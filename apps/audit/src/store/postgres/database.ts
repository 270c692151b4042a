import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { PostgresSettings } from './connection.js';
import { SCHEMA_NAME, type PostgresTables } from './tables.js';

const INT8 = 20;
const CONNECT_TIMEOUT_MS = 5_000;

export interface PoolSettings {
  /** Shown in pg_stat_activity. */
  name: string;
  connections: number;
  /** Longest time of one statement, in milliseconds. */
  statementTimeoutMs: number;
}

/** Positions, indexes and times are below 2^53, so a bigint column is a number here. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text'),
};

/** Connections to the store for one thread, and Kysely over them. */
export class PostgresDatabase {
  readonly pool: pg.Pool;
  readonly query: Kysely<PostgresTables>;

  constructor({ url }: PostgresSettings, { name, connections, statementTimeoutMs }: PoolSettings) {
    this.pool = new pg.Pool({
      connectionString: url,
      application_name: name,
      max: connections,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: statementTimeoutMs,
      // A connection that is left in a transaction would hold its locks; none is meant to be.
      idle_in_transaction_session_timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      options: `-c search_path=${SCHEMA_NAME}`,
      types: types as unknown as pg.CustomTypesConfig,
    });
    // A connection that ends says so to whoever uses it, and besides as an event, which must have a listener: also while
    // it is in use, when the pool has none.
    this.pool.on('error', () => undefined);
    this.pool.on('connect', (client) => client.on('error', () => undefined));
    this.query = new Kysely<PostgresTables>({ dialect: new PostgresDialect({ pool: this.pool }) });
  }

  async close(): Promise<void> {
    // Ends the pool as well.
    await this.query.destroy();
  }
}

/**
 * SQLSTATE of an error after which the connection goes on and the transaction is rolled back; undefined where nobody
 * knows what was done, because the connection failed or the server ended it.
 */
export const sqlState = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError && !/^(?:FATAL|PANIC)$/.test(error.severity ?? '')
    ? error.code
    : undefined;
