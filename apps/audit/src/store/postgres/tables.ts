import type { Generated } from 'kysely';
import type { DigestedFact, NamedFact } from '../../index/facts.js';

/** Everything lies in a schema of its own. */
export const SCHEMA_NAME = 'siegel_audit';

/** Columns as queries see them; see schema.ts for what they mean. */
export interface PostgresTables {
  format: { version: number };
  sequencer: {
    one: Generated<boolean>;
    term: number;
    holder: string;
    beat: number;
    backend: number;
    head: number;
    next_batch: number;
    last_time: number;
    distributed: number;
  };
  logs: { id: number; origin: string; size: number };
  epochs: { id: number; emitter: string; epoch: string; next_seq: number; missing: string };
  batches: {
    id: number;
    log_id: number;
    start: number;
    size: number;
    root: Buffer;
    time: number;
    kid: string;
    signature: Buffer;
  };
  entries: {
    pos: number;
    log_id: number;
    idx: number;
    batch_id: number;
    epoch_id: number;
    seq: number;
    time: number;
    entry: Buffer;
  };
  events: Record<NamedFact, string | null> &
    Record<DigestedFact, number | null> & {
      pos: number;
      time: number;
      id: string;
      log_id: number;
      idx: number;
      tenant: string;
      type: string;
      outcome: string;
      emitter: string;
      reason: string | null;
      workload: string | null;
      mrenclave: string | null;
      tcb: string | null;
      session: number | null;
      leaf: number;
      words: string | null;
    };
  checkpoints: { log_id: number; size: number; root: Buffer; note: string; term: number };
}
