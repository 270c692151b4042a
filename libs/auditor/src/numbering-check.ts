import type { CheckedEvent } from './entry-check.js';
import { type Fraud, fraud } from './fraud.js';
import { NumberSet, type NumberSetState } from './number-set.js';

/** The log records a gap or a reordering within this time, its rate limit included. */
const RECORD_MS = 30_000;
const MAX_RANGES = 1_024;
/** How far behind the highest number of a run it is still told apart whether a number was used, where other logs have some. */
const WINDOW = 65_536;
/** Numbers of one run of an emitter; more would be years of full load. */
const MAX_SEQ = 500_000_000;
/** Emitter under which the log counts anomalies of too many emitters together. */
const SEVERAL = '(several)';

interface MissingRange {
  from: number;
  to: number;
  /** The entry that revealed it. */
  index: number;
  time: number;
}

interface EpochNumbers {
  /** Lowest number that can be judged. */
  base: number;
  next: number;
  missing: MissingRange[];
  /** Events that came after later ones. */
  late: { index: number; time: number }[];
  /** Numbers that the log itself has said to be missing, and events that it has said to be late. */
  saidMissing: number;
  saidLate: number;
  /** Where other logs have some of the numbers: those that this one has. */
  seen?: NumberSetState;
}

/** What is remembered between two runs. */
export interface NumberingState {
  /** Whether the log is watched from its beginning; else an epoch's first number that is seen is taken as it is. */
  whole: boolean;
  latest: number;
  epochs: Record<string, EpochNumbers>;
}

/**
 * The numbering of all emitters: within an epoch numbers run from 1 without a gap, none twice. The log records every
 * irregularity of its emitters as an event of its own; one that it does not speak of is the log's. Times must not lie
 * far before what was logged earlier.
 */
export class NumberingCheck {
  readonly #epochs: Map<string, EpochNumbers>;
  readonly #whole: boolean;
  readonly #seen = new Map<string, NumberSet>();
  #latest: number;

  constructor(
    /** How much older than an earlier entry an event may be, in milliseconds. */
    private readonly maxDelayMs: number,
    state: NumberingState = { whole: true, latest: 0, epochs: {} },
    /** Whether this log is the only one of its emitters. Where it is not, a missing number says nothing. */
    private readonly onlyLog = true,
  ) {
    this.#epochs = new Map(Object.entries(state.epochs));
    if (!onlyLog) for (const [key, epoch] of this.#epochs) this.#seen.set(key, seenOf(epoch));
    this.#latest = state.latest;
    this.#whole = state.whole;
  }

  get state(): NumberingState {
    const epochs = [...this.#epochs].map(([key, epoch]): [string, EpochNumbers] => {
      const seen = this.#seen.get(key);
      return [key, seen ? { ...epoch, seen: seen.state } : epoch];
    });
    return { whole: this.#whole, latest: this.#latest, epochs: Object.fromEntries(epochs) };
  }

  /** Takes the entries of a log in their order. */
  add(event: CheckedEvent, index: number): Fraud[] {
    const found: Fraud[] = [];
    const { name, epoch: run, seq } = event.emitter;
    const time = Date.parse(event.time);
    if (time < this.#latest - this.maxDelayMs) {
      const late = Math.round((this.#latest - time) / 1_000);
      found.push(fraud('forged', `entry ${index} is dated ${late} s before an earlier entry`, index));
    }
    this.#latest = Math.max(this.#latest, time);
    this.#hear(event);
    if (seq > MAX_SEQ)
      return [...found, fraud('forged', `entry ${index}: ${keyOf(name, run)} has no number ${seq}`, index)];
    const epoch = this.#epoch(name, run, seq);
    if (!this.onlyLog) return [...found, ...this.#amongOthers(event, epoch, index, time)];
    if (seq === epoch.next) epoch.next++;
    else if (seq > epoch.next) {
      epoch.missing.push({ from: epoch.next, to: seq - 1, index, time });
      epoch.next = seq + 1;
      if (epoch.missing.length > MAX_RANGES)
        found.push(fraud('dropped', `too many events of ${name}/${run} are missing`, index));
    } else if (remove(epoch.missing, seq)) epoch.late.push({ index, time });
    else if (seq >= epoch.base)
      found.push(fraud('forged', `entry ${index}: number ${seq} of ${name}/${run} was used before`, index));
    return found;
  }

  /** Numbers that other logs have as well: they rise, and each is used once. */
  #amongOthers({ emitter }: CheckedEvent, epoch: EpochNumbers, index: number, time: number): Fraud[] {
    const { name, epoch: run, seq } = emitter;
    const key = keyOf(name, run);
    const seen = this.#seen.get(key) ?? new NumberSet(epoch.base - 1);
    this.#seen.set(key, seen);
    const behind = seq < seen.highest;
    if (seq > seen.floor && !seen.add(seq))
      return [fraud('forged', `entry ${index}: number ${seq} of ${name}/${run} was used before`, index)];
    if (behind && seq >= epoch.base) epoch.late.push({ index, time });
    epoch.next = seen.highest + 1;
    if (seen.highest - seen.floor > 2 * WINDOW) seen.raise(seen.highest - WINDOW);
    return [];
  }

  /**
   * What is wrong with the numbers so far.
   * @param atEnd judge also what the log may still be about to record
   */
  unexplained({ atEnd = false } = {}): Fraud[] {
    const due = atEnd ? Infinity : this.#latest - RECORD_MS;
    const found: Fraud[] = [];
    const several = this.#epochs.get(keyOf(SEVERAL, SEVERAL)) ?? { saidMissing: 0, saidLate: 0 };
    for (const [key, { missing, late, saidMissing, saidLate }] of this.#epochs) {
      const overdue = missing.filter(({ time }) => time <= due);
      const count = overdue.reduce((sum, { from, to }) => sum + to - from + 1, 0);
      const [first] = overdue;
      if (first && count > saidMissing + several.saidMissing) {
        const which =
          first.from === first.to ? `event ${first.from}` : `each of the events ${first.from} to ${first.to}`;
        found.push(
          fraud(
            'dropped',
            `${which} of ${key} is missing from the log, and the log does not say so`,
            first.index,
          ),
        );
      }
      const [firstLate] = late.filter(({ time }) => time <= due);
      if (firstLate && saidLate + several.saidLate === 0) {
        const message = `entry ${firstLate.index} stands behind later events of ${key}, and the log does not say so`;
        found.push(fraud('rewritten', message, firstLate.index));
      }
    }
    return found;
  }

  /** What the log's own events say of other emitters' numbers. */
  #hear({ type, data, emitter }: CheckedEvent): void {
    if (emitter.name !== 'audit' || (type !== 'log.gap' && type !== 'log.reordered')) return;
    const { emitter: name, epoch: run, count } = data ?? {};
    if (typeof name !== 'string' || typeof run !== 'string') return;
    const epoch = this.#epoch(name, run);
    const told = typeof count === 'number' ? count : 1;
    if (type === 'log.gap') epoch.saidMissing += told;
    else epoch.saidLate += told;
  }

  #epoch(name: string, run: string, seq = 1): EpochNumbers {
    const key = keyOf(name, run);
    let epoch = this.#epochs.get(key);
    if (!epoch) {
      const base = this.#whole ? 1 : seq;
      epoch = { base, next: base, missing: [], late: [], saidMissing: 0, saidLate: 0 };
      this.#epochs.set(key, epoch);
    }
    return epoch;
  }
}

const keyOf = (name: string, run: string): string => `${name}/${run}`;

/** Takes one number out of the missing ones; false if it was not missing. */
function remove(missing: MissingRange[], seq: number): boolean {
  const at = missing.findIndex(({ from, to }) => from <= seq && seq <= to);
  if (at < 0) return false;
  const range = missing[at]!;
  const parts = [
    { ...range, to: seq - 1 },
    { ...range, from: seq + 1 },
  ].filter(({ from, to }) => from <= to);
  missing.splice(at, 1, ...parts);
  return true;
}

/** Of what an earlier version remembered, which kept the missing ones instead. */
function seenOf({ base, next, missing, seen }: EpochNumbers): NumberSet {
  if (seen) return NumberSet.from(seen);
  const set = new NumberSet(Math.max(base - 1, next - 1 - WINDOW));
  for (let n = set.floor + 1; n < next; n++)
    if (!missing.some(({ from, to }) => from <= n && n <= to)) set.add(n);
  missing.splice(0);
  return set;
}
