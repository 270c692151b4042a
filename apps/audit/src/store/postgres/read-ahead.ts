import { sql } from 'kysely';
import { isKnown, type EpochState } from '../../sequencing/numbering.js';
import type { EpochRow } from '../../sequencing/placing-store.js';
import type { IncomingEvent, Placer } from '../../sequencing/placer.js';
import type { CommitBuffer } from './commit-buffer.js';
import type { PostgresDatabase } from './database.js';

/** Epochs that have a gap that is not reported. */
export function readOpenGaps({
  query,
}: PostgresDatabase): Promise<(EpochRow & { emitter: string; epoch: string })[]> {
  return query
    .selectFrom('epochs')
    .select(['id', 'emitter', 'epoch', 'next_seq', 'missing'])
    .where('missing', 'like', '%"reported":false%')
    .execute();
}

/**
 * Reads what placing these events can need: epochs that are not in memory, and of events that are in the log already
 * their entries and batches. In the ordinary case there is nothing to read.
 */
export async function readAhead(
  database: PostgresDatabase,
  placer: Placer,
  buffer: CommitBuffer,
  events: readonly IncomingEvent[],
): Promise<void> {
  await readEpochs(database, placer, buffer, events);
  const repeated = events.flatMap(({ emitter, epoch, seq }) => {
    const state = placer.epoch(emitter, epoch) ?? loaded(buffer, emitter, epoch);
    return state && isKnown(state, seq) ? [{ epoch: state.id, seq }] : [];
  });
  if (repeated.length === 0) return;
  const rows = await sql<{ epoch_id: number; seq: number; idx: number; batch_id: number; entry: Buffer }>`
    SELECT epoch_id, seq, idx, batch_id, entry FROM entries
    WHERE (epoch_id, seq) IN (SELECT * FROM unnest(
      ${repeated.map(({ epoch }) => epoch)}::bigint[], ${repeated.map(({ seq }) => seq)}::bigint[]))`.execute(
    database.query,
  );
  for (const { epoch_id, seq, idx, batch_id, entry } of rows.rows)
    buffer.remember(epoch_id, seq, { index: idx, batchId: batch_id, entry });
  await readBatches(database, buffer, [...new Set(rows.rows.map(({ batch_id }) => batch_id))]);
}

async function readEpochs(
  { query }: PostgresDatabase,
  placer: Placer,
  buffer: CommitBuffer,
  events: readonly IncomingEvent[],
): Promise<void> {
  const wanted = new Map<string, { emitter: string; epoch: string }>();
  for (const { emitter, epoch } of events)
    if (!placer.epoch(emitter, epoch)) wanted.set(`${emitter}\n${epoch}`, { emitter, epoch });
  if (wanted.size === 0) return;
  const names = [...wanted.values()];
  const rows = await sql<EpochRow & { emitter: string; epoch: string }>`
    SELECT id, emitter, epoch, next_seq, missing FROM epochs
    WHERE (emitter, epoch) IN (SELECT * FROM unnest(
      ${names.map(({ emitter }) => emitter)}::text[], ${names.map(({ epoch }) => epoch)}::text[]))`.execute(
    query,
  );
  for (const { emitter, epoch, ...row } of rows.rows) buffer.rememberEpoch(emitter, epoch, row);
}

function loaded(
  buffer: CommitBuffer,
  emitter: string,
  epoch: string,
): Pick<EpochState, 'id' | 'next' | 'missing'> | undefined {
  const row = buffer.load(emitter, epoch);
  return row && { id: row.id, next: row.next_seq, missing: JSON.parse(row.missing) as EpochState['missing'] };
}

/** Batches with the leaf hashes of their entries, which the server computes: the entries themselves are not needed. */
async function readBatches(
  { query }: PostgresDatabase,
  buffer: CommitBuffer,
  ids: readonly number[],
): Promise<void> {
  const rows = await sql<BatchRow>`
    SELECT batches.id, origin, start, batches.size, root, time, kid, signature, (
      SELECT string_agg(sha256('\\x00'::bytea || entry), ''::bytea ORDER BY idx) FROM entries
      WHERE entries.time = batches.time AND entries.log_id = batches.log_id
        AND idx >= batches.start AND idx < batches.start + batches.size
    ) AS leaves
    FROM batches JOIN logs ON logs.id = batches.log_id WHERE batches.id = ANY(${ids}::bigint[])`.execute(
    query,
  );
  for (const { id, origin, leaves, ...batch } of rows.rows) {
    const hashes = Array.from({ length: batch.size }, (_, i) => leaves.subarray(32 * i, 32 * i + 32));
    buffer.batches.set(id, { batch: { log: origin, ...batch }, leaves: hashes });
  }
}

interface BatchRow {
  id: number;
  origin: string;
  start: number;
  size: number;
  root: Buffer;
  time: number;
  kid: string;
  signature: Buffer;
  leaves: Buffer;
}
