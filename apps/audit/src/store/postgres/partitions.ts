import { type Kysely, sql } from 'kysely';
import type { PostgresSettings } from './connection.js';
import { sqlState } from './database.js';
import { PARTITIONED } from './schema.js';
import type { PostgresTables } from './tables.js';

/** SQLSTATE invalid_object_definition. */
const OVERLAP = '42P17';

/** `[from, to)` in Unix milliseconds. */
export interface Period {
  from: number;
  to: number;
  name: string;
}

/** The day or month (UTC) that a time lies in. */
export function periodOf(time: number, width: PostgresSettings['partition']): Period {
  const date = new Date(time);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  const from = Date.UTC(year, month, width === 'day' ? day : 1);
  const to = width === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1);
  const name = new Date(from)
    .toISOString()
    .slice(0, width === 'day' ? 10 : 7)
    .replaceAll('-', '');
  return { from, to, name };
}

/**
 * Makes the partitions for a time and for the period that follows it. Each is made beside the table and attached, which
 * waits for no reader and no writer; one that exists already is no error.
 * @returns the time until which partitions exist now
 */
export async function ensurePartitions(
  query: Kysely<PostgresTables>,
  time: number,
  width: PostgresSettings['partition'],
): Promise<number> {
  let until = time;
  for (let made = 0; made < 2; made++) until = await ensurePeriod(query, until, width);
  return until;
}

async function ensurePeriod(
  query: Kysely<PostgresTables>,
  time: number,
  width: PostgresSettings['partition'],
): Promise<number> {
  const period = periodOf(time, width);
  try {
    for (const table of PARTITIONED) await ensurePartition(query, table, period);
    return period.to;
  } catch (error) {
    // The month has days that were made when the width was another: it goes on in days.
    if (width === 'day' || sqlState(error) !== OVERLAP) throw error;
    return ensurePeriod(query, time, 'day');
  }
}

async function ensurePartition(
  query: Kysely<PostgresTables>,
  table: (typeof PARTITIONED)[number],
  { from, to, name }: Period,
): Promise<void> {
  const partition = `${table}_${name}`;
  if (await covered(query, table, from, to)) return;
  await query.transaction().execute(async (transaction) => {
    await sql`CREATE TABLE ${sql.id(partition)} (LIKE ${sql.id(table)} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`.execute(
      transaction,
    );
    // Utility statements take no parameters; these are numbers of ours.
    await sql`ALTER TABLE ${sql.id(table)} ATTACH PARTITION ${sql.id(partition)} FOR VALUES FROM (${sql.raw(
      String(from),
    )}) TO (${sql.raw(String(to))})`.execute(transaction);
  });
}

/** Whether some partition holds the whole period: after the width was changed, an older and wider one may. */
async function covered(
  query: Kysely<PostgresTables>,
  table: string,
  from: number,
  to: number,
): Promise<boolean> {
  const { rows } = await sql<{ bound: string }>`
    SELECT pg_get_expr(child.relpartbound, child.oid) AS bound
    FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = to_regclass(${table})`.execute(query);
  return rows.some(({ bound }) => {
    const [, low, high] = /FROM \('(-?\d+)'\) TO \('(-?\d+)'\)/.exec(bound) ?? [];
    return low !== undefined && Number(low) <= from && Number(high) >= to;
  });
}
