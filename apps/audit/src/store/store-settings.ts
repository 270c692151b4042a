import type { PostgresSettings } from './postgres/connection.js';

/** Where the log is kept, as it can be handed to a thread. */
export type StoreSettings =
  { kind: 'sqlite'; logPath: string; indexPath: string } | { kind: 'postgres'; postgres: PostgresSettings };

/** The same for a thread that writes, with the term that it writes under; the embedded store has one writer and no terms. */
export type WritableStore =
  | Extract<StoreSettings, { kind: 'sqlite' }>
  | (Extract<StoreSettings, { kind: 'postgres' }> & { term: number });
