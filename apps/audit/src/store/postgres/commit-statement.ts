import type pg from 'pg';
import { FencedError } from '../fenced-error.js';
import type { BufferedWrites } from './commit-buffer.js';

/**
 * One group commit in one statement, hence one transaction that the server ends by itself: a client that is paused or
 * killed at any point leaves either all of it or nothing, and no lock. `fence` is the compare-and-swap: it finds its row
 * only for the holder of the term, and only if nothing was committed since the group was placed; everything else is
 * joined to it. It waits for a claim that is under way and then sees the higher term.
 *
 * Not built with Kysely: the statement is prepared once per connection under its name, which Kysely's driver does not do.
 */
const TEXT = `
WITH fence AS (
  UPDATE sequencer SET head = $3, next_batch = $4, last_time = $5, beat = beat + 1
  WHERE term = $1 AND head = $2 RETURNING one
), grown AS (
  UPDATE logs SET size = g.size FROM unnest($6::int[], $7::bigint[]) AS g(id, size), fence WHERE logs.id = g.id
), numbered AS (
  INSERT INTO epochs (id, emitter, epoch, next_seq, missing)
  SELECT e.* FROM unnest($8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::text[]) e, fence
  ON CONFLICT (id) DO UPDATE SET next_seq = excluded.next_seq, missing = excluded.missing
), batched AS (
  INSERT INTO batches (id, log_id, start, size, root, time, kid, signature)
  SELECT b.id, b.log_id, b.start, b.size, substring($18::bytea FROM b.nth * 32 + 1 FOR 32), b.time, b.kid,
    substring($19::bytea FROM b.nth * 64 + 1 FOR 64)
  FROM (
    SELECT u.*, (row_number() OVER () - 1)::int AS nth
    FROM unnest($13::bigint[], $14::int[], $15::bigint[], $16::int[], $17::bigint[], $20::text[])
      AS u(id, log_id, start, size, time, kid)
  ) b, fence
), appended AS (
  INSERT INTO entries (pos, log_id, idx, batch_id, epoch_id, seq, time, entry)
  SELECT e.pos, e.log_id, e.idx, e.batch_id, e.epoch_id, e.seq, e.time, substring($30::bytea FROM e.at FOR e.length)
  FROM unnest($21::bigint[], $22::int[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[],
    $28::int[], $29::int[]) AS e(pos, log_id, idx, batch_id, epoch_id, seq, time, at, length), fence
)
SELECT count(*)::int AS fenced FROM fence`;

export interface CommitPosition {
  term: number;
  /** Position of the last entry before and after the commit. */
  from: number;
  to: number;
  nextBatch: number;
  time: number;
}

/**
 * Commits what was buffered. When it resolves, PostgreSQL has fsynced it (`synchronous_commit`).
 * @throws FencedError if another process holds the log; what `pg` throws, after which a missing SQLSTATE means that
 * nobody knows whether it was committed
 */
export async function commitBuffered(
  client: pg.ClientBase,
  position: CommitPosition,
  { entries, batches, epochs, sizes }: BufferedWrites,
): Promise<void> {
  let at = 1;
  const starts = entries.map(({ entry }) => (at += entry.length) - entry.length);
  const { rows } = await client.query<{ fenced: number }>({
    name: 'commit',
    text: TEXT,
    values: [
      position.term,
      position.from,
      position.to,
      position.nextBatch,
      position.time,
      list([...sizes.keys()]),
      list([...sizes.values()]),
      list(epochs.map(({ id }) => id)),
      epochs.map(({ emitter }) => emitter),
      epochs.map(({ epoch }) => epoch),
      list(epochs.map(({ next }) => next)),
      epochs.map(({ missing }) => missing),
      list(batches.map(({ id }) => id)),
      list(batches.map(({ row }) => row)),
      list(batches.map(({ start }) => start)),
      list(batches.map(({ size }) => size)),
      list(batches.map(({ time }) => time)),
      Buffer.concat(batches.map(({ root }) => root)),
      Buffer.concat(batches.map(({ signature }) => signature)),
      batches.map(({ kid }) => kid),
      list(entries.map(({ pos }) => pos)),
      list(entries.map(({ log }) => log)),
      list(entries.map(({ index }) => index)),
      list(entries.map(({ batch }) => batch)),
      list(entries.map(({ epoch }) => epoch)),
      list(entries.map(({ seq }) => seq)),
      list(entries.map(({ time }) => time)),
      list(starts),
      list(entries.map(({ entry }) => entry.length)),
      Buffer.concat(entries.map(({ entry }) => entry)),
    ],
  });
  if (rows[0]?.fenced !== 1) throw new FencedError('the log is sequenced by another process now');
}

/** Numbers as a PostgreSQL array; quoting each, as the driver does, costs more than the rest of the call. */
const list = (numbers: readonly number[]): string => `{${numbers.join(',')}}`;
