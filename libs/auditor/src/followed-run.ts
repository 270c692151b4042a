import { NumberSet, type NumberSetState } from './number-set.js';

export interface NumberRange {
  from: number;
  to: number;
}

/** Ranges that are remembered of one run of an emitter. */
const MAX_RANGES = 1_024;

/** What is remembered of one run of an emitter between two runs of an auditor. */
export interface FollowedRunState {
  base: number;
  seen: NumberSetState;
  spoken: NumberRange[];
  said: number;
  absent: NumberRange[];
  late: { seq: number; time: number }[];
  saidLate: number;
  progress: [step: number, seq: number][];
}

/** The numbers of one run of an emitter over all followed logs. */
export class FollowedRun {
  readonly seen: NumberSet;
  /** Numbers up to here are not judged. */
  #base: number;
  /** Missing numbers of which a log speaks: by range, and how many besides. */
  #spoken: NumberRange[] = [];
  #said = 0;
  /** Numbers below the floor of `seen` that are in no log, as the logs say. */
  #absent: NumberRange[] = [];
  /** Numbers that came after they were called missing, and the date of the newest event then. */
  #late: { seq: number; time: number }[] = [];
  #saidLate = 0;
  /** By step of time: the highest number of an event that was dated in it. */
  readonly #progress: Map<number, number>;

  constructor(base: number, state?: FollowedRunState) {
    this.#base = state?.base ?? base;
    this.seen = state ? NumberSet.from(state.seen) : new NumberSet(base);
    this.#progress = new Map(state?.progress);
    if (!state) return;
    this.#spoken = state.spoken;
    this.#said = state.said;
    this.#absent = state.absent;
    this.#late = state.late;
    this.#saidLate = state.saidLate;
  }

  get state(): FollowedRunState {
    return {
      base: this.#base,
      seen: this.seen.state,
      spoken: this.#spoken,
      said: this.#said,
      absent: this.#absent,
      late: this.#late,
      saidLate: this.#saidLate,
      progress: [...this.#progress],
    };
  }

  /** Missing numbers, and late events, that the logs speak of without saying which. */
  get said(): { missing: number; late: number } {
    return { missing: this.#said, late: this.#saidLate };
  }

  /**
   * Takes a number; false if it stands in another place already.
   * @param step of the event's own date; undefined where gaps are not judged
   * @param now date of the newest event that was seen
   */
  take(seq: number, step: number | undefined, now: number): boolean {
    if (seq <= this.#base) return true;
    if (seq <= this.seen.floor) {
      if (!removeFrom(this.#absent, seq)) return false;
      this.#late.push({ seq, time: now });
      return true;
    }
    if (!this.seen.add(seq)) return false;
    if (step !== undefined) this.#progress.set(step, Math.max(this.#progress.get(step) ?? 0, seq));
    return true;
  }

  /** A log says that these are missing. */
  hearMissing(count: number, range: NumberRange | undefined): void {
    if (range && this.#spoken.length < MAX_RANGES) this.#spoken.push(range);
    else this.#said += count;
  }

  /** A log says that events came late. */
  hearLate(count: number, seq: number | undefined): void {
    const at = seq === undefined ? -1 : this.#late.findIndex((each) => each.seq === seq);
    if (at >= 0) this.#late.splice(at, 1);
    else if (seq === undefined) this.#saidLate += count;
  }

  /** Numbers from here on alone are judged. */
  begin(): void {
    this.raise(this.seen.highest);
  }

  /** Nothing up to `floor` is judged any more. */
  raise(floor: number): void {
    this.seen.raise(floor);
    this.#base = Math.max(this.#base, floor);
    [this.#spoken, this.#absent, this.#late] = [[], [], []];
    [this.#said, this.#saidLate] = [0, 0];
    for (const [step, seq] of this.#progress) if (seq <= floor) this.#progress.delete(step);
  }

  /**
   * Judges what was revealed by events dated before `due`: the missing numbers of which no log speaks, if there are more than `excused`.
   * What is judged well is settled.
   */
  settle(due: number, excused: number): NumberRange[] {
    let settled = 0;
    for (const [step, seq] of this.#progress) if (step < due) settled = Math.max(settled, seq);
    if (settled <= this.seen.floor) return [];
    const gaps = [...this.seen.gaps(settled)];
    const unspoken = gaps.flatMap((gap) => without(gap, this.#spoken));
    const count = unspoken.reduce((sum, { from, to }) => sum + to - from + 1, 0);
    if (count > this.#said + excused) return unspoken;
    this.#said -= Math.min(count, this.#said);
    this.#spoken = this.#spoken.filter(({ to }) => to > settled);
    this.#absent.push(...gaps);
    const forgotten = this.#absent.splice(0, Math.max(this.#absent.length - MAX_RANGES, 0));
    this.#base = Math.max(this.#base, forgotten.at(-1)?.to ?? 0);
    this.seen.raise(settled);
    for (const [step, seq] of this.#progress) if (seq <= settled) this.#progress.delete(step);
    return [];
  }

  /** A number that came after it was called missing, before `until`, and of which no log says that it came late. */
  unspokenLate(until: number, excused: number): number | undefined {
    const due = this.#late.filter(({ time }) => time <= until);
    return due.length > this.#saidLate + excused ? due[0]!.seq : undefined;
  }
}

function removeFrom(ranges: NumberRange[], seq: number): boolean {
  const at = ranges.findIndex(({ from, to }) => from <= seq && seq <= to);
  if (at < 0) return false;
  ranges.splice(at, 1, ...without(ranges[at]!, [{ from: seq, to: seq }]));
  return true;
}

/** What of `range` lies in none of the others. */
function without(range: NumberRange, others: readonly NumberRange[]): NumberRange[] {
  let rest = [range];
  for (const { from, to } of others)
    rest = rest.flatMap((each) =>
      to < each.from || from > each.to
        ? [each]
        : [
            { from: each.from, to: from - 1 },
            { from: to + 1, to: each.to },
          ].filter((part) => part.from <= part.to),
    );
  return rest;
}
