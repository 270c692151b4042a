import type { EpochRow, EpochStore } from './placing-store.js';

/** Numbers `[from, to]` of an emitter's epoch that have not come; `reported` once the log has an event that says so. */
export interface MissingRange {
  from: number;
  to: number;
  /** When the gap opened, Unix milliseconds. */
  since: number;
  /** Of the event that revealed the gap. */
  tenant: string;
  reported: boolean;
}

/** One run of one emitter. */
export interface EpochState {
  readonly id: number;
  readonly emitter: string;
  readonly epoch: string;
  /** The number that comes next if nothing is lost. */
  next: number;
  missing: MissingRange[];
  dirty: boolean;
}

/** What the number of an event says about its place. */
export type Placement = 'next' | 'after-gap' | 'late' | 'known' | 'too-many-gaps';

const MAX_RANGES = 512;
const MAX_EPOCHS_IN_MEMORY = 1_024;

/**
 * The numbering of every emitter's every epoch, in memory for the active ones and in the store for all. Changes become
 * durable with `save`, inside the transaction that stores the events; after a failed one call `forget`.
 */
export class Numbering {
  readonly #epochs = new Map<string, EpochState>();

  constructor(private readonly store: EpochStore) {
    this.forget();
  }

  /** What is in memory of an epoch, if anything. */
  peek(emitter: string, epoch: string): EpochState | undefined {
    return this.#epochs.get(keyOf(emitter, epoch));
  }

  /** The state of an epoch, created at its first event. Must be called inside the transaction. */
  epochOf(emitter: string, epoch: string): EpochState {
    const key = keyOf(emitter, epoch);
    let state = this.#epochs.get(key);
    if (state) {
      // Most recently used last, so that eviction takes the oldest.
      this.#epochs.delete(key);
    } else {
      const row = this.store.load(emitter, epoch);
      state = row
        ? stateOf(emitter, epoch, row)
        : {
            id: this.store.create(emitter, epoch),
            emitter,
            epoch,
            next: 1,
            missing: [],
            dirty: false,
          };
    }
    this.#epochs.set(key, state);
    return state;
  }

  /** Writes what changed. Must be called inside the transaction. */
  save(): void {
    for (const state of this.#epochs.values()) {
      if (!state.dirty) continue;
      this.store.save(state.id, state.next, JSON.stringify(state.missing));
      state.dirty = false;
    }
    this.#evict();
  }

  /** Starts again from the store: at start, or when the transaction was rolled back. */
  forget(): void {
    this.#epochs.clear();
    // Gaps that were open when the process ended must still be reported.
    for (const row of this.store.withOpenGaps()) {
      this.#epochs.set(keyOf(row.emitter, row.epoch), stateOf(row.emitter, row.epoch, row));
    }
  }

  /** Gaps that have been open since before `deadline` and are not reported; marks them reported. */
  takeOverdue(deadline: number): { state: EpochState; range: MissingRange }[] {
    const overdue: { state: EpochState; range: MissingRange }[] = [];
    for (const state of this.#epochs.values()) {
      for (const range of state.missing) {
        if (range.reported || range.since > deadline) continue;
        range.reported = true;
        state.dirty = true;
        overdue.push({ state, range });
      }
    }
    return overdue;
  }

  #evict(): void {
    if (this.#epochs.size <= MAX_EPOCHS_IN_MEMORY) return;
    for (const [key, state] of this.#epochs) {
      if (this.#epochs.size <= MAX_EPOCHS_IN_MEMORY) return;
      if (state.missing.every(({ reported }) => reported)) this.#epochs.delete(key);
    }
  }
}

const keyOf = (emitter: string, epoch: string): string => `${emitter}\n${epoch}`;

/** Whether an epoch has had this number. */
export const isKnown = ({ next, missing }: Pick<EpochState, 'next' | 'missing'>, seq: number): boolean =>
  seq < next && !missing.some(({ from, to }) => from <= seq && seq <= to);

function stateOf(emitter: string, epoch: string, row: EpochRow): EpochState {
  const missing = JSON.parse(row.missing) as MissingRange[];
  return { id: row.id, emitter, epoch, next: row.next_seq, missing, dirty: false };
}

/** Places number `seq` in its epoch and remembers it as seen, unless it is known already or would open too many gaps. */
export function place(state: EpochState, seq: number, now: number, tenant: string): Placement {
  if (seq === state.next) {
    state.next = seq + 1;
    state.dirty = true;
    return 'next';
  }
  if (seq > state.next) {
    if (state.missing.length >= MAX_RANGES) return 'too-many-gaps';
    state.missing.push({ from: state.next, to: seq - 1, since: now, tenant, reported: false });
    state.next = seq + 1;
    state.dirty = true;
    return 'after-gap';
  }
  const at = state.missing.findIndex(({ from, to }) => from <= seq && seq <= to);
  if (at < 0) return 'known';
  const range = state.missing[at]!;
  const parts = [
    { ...range, to: seq - 1 },
    { ...range, from: seq + 1 },
  ].filter(({ from, to }) => from <= to);
  if (state.missing.length - 1 + parts.length > MAX_RANGES) return 'too-many-gaps';
  state.missing.splice(at, 1, ...parts);
  state.dirty = true;
  return 'late';
}
