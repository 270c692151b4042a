import type { EntryReader } from '#transparency';
import type { DatabaseSync } from 'node:sqlite';

/** The committed entries of one log, from which its tree is made. */
export interface TreeSource {
  /** Entries that are committed. */
  committed(): Promise<number> | number;
  entries: EntryReader;
}

/** One log of the embedded store. */
export function sqliteTreeSource(database: DatabaseSync, origin: string): TreeSource {
  const { id } = database.prepare('SELECT id FROM logs WHERE origin = ?').get(origin) as { id: number };
  const entries = database.prepare(
    `SELECT entry FROM entries WHERE log_id = ${id} AND idx >= ? AND idx < ? ORDER BY idx`,
  );
  const size = database.prepare(`SELECT coalesce(max(idx) + 1, 0) AS size FROM entries WHERE log_id = ${id}`);
  return {
    committed: () => (size.get() as { size: number }).size,
    entries: (start, end) =>
      (entries.all(start, end) as unknown as { entry: Uint8Array }[]).map(({ entry }) => entry),
  };
}
