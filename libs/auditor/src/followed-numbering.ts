import type { CheckedEvent } from './entry-check.js';
import { FollowedRun, type FollowedRunState } from './followed-run.js';
import { type Fraud, fraud } from './fraud.js';

/**
 * Time by which later events must be dated before a missing number is judged: what was committed is published and records of gaps are
 * made within half of it.
 */
const SETTLE_MS = 60_000;
/** Steps of time in which it is remembered how far the numbers had come. */
const STEP_MS = 10_000;
const MAX_SEQ = 500_000_000;
const MAX_FRAUDS = 16;
/** Numbers of a run that are told apart where missing ones are not judged. */
const WINDOW = 65_536;
/** Emitter under which a log counts anomalies of too many emitters together. */
const SEVERAL = '(several)/(several)';

/** What is remembered between two runs. */
export interface FollowedNumberingState {
  siegelNumbers: 1;
  /** By origin: how many entries are counted. */
  logs: Record<string, number>;
  complete: boolean;
  whole: boolean;
  joined: boolean;
  latest: number;
  runs: Record<string, FollowedRunState>;
}

/**
 * The numbers of all emitters over several logs that are followed together. Emitters number their events over all tenants: whoever
 * sees all of an emitter's logs sees every number once, and a gap is an event that was dropped. Whoever sees a part sees gaps that
 * mean nothing, and can tell only that a number stands in two places.
 *
 * Logs are not read in step. A missing number is judged when every log was read to its end after events were seen that are dated a
 * minute later than the one which revealed the gap; no clock of our own is involved.
 */
export class FollowedNumbering {
  readonly #counted: Map<string, number>;
  readonly #runs: Map<string, FollowedRun>;
  /** Whether the present numbers are judged: not while it is unknown which of them lie before the beginning. */
  #joined: boolean;
  /** Whether all logs were read from their first entry on; else the first number of a run that is seen is taken as it is. */
  #whole: boolean;
  #beganAnew = false;
  #latest: number;
  /** Date up to which every log was read. */
  #confirmed = 0;
  #round = 0;
  #roundLatest = 0;
  #waiting: Set<string>;

  constructor(
    private readonly origins: readonly string[],
    /** Whether these are all the logs that the emitters write to. */
    private readonly complete: boolean,
    state?: FollowedNumberingState,
  ) {
    const usable =
      state?.complete === complete &&
      Object.keys(state.logs).every((origin) => origins.includes(origin)) &&
      origins.every((origin) => origin in state.logs);
    this.#counted = new Map(Object.entries(usable ? state.logs : {}));
    this.#runs = new Map(
      Object.entries(usable ? state.runs : {}).map(([key, run]) => [key, new FollowedRun(0, run)]),
    );
    this.#joined = usable ? state.joined : true;
    this.#whole = usable ? state.whole : true;
    this.#latest = usable ? state.latest : 0;
    this.#waiting = new Set(origins);
  }

  /** Of all logs, or of none: one of which nothing was counted yet begins with its first entry. */
  get state(): FollowedNumberingState {
    return {
      siegelNumbers: 1,
      logs: Object.fromEntries(this.origins.map((origin) => [origin, this.#counted.get(origin) ?? 0])),
      complete: this.complete,
      whole: this.#whole,
      joined: this.#joined,
      latest: this.#latest,
      runs: Object.fromEntries([...this.#runs].map(([key, run]) => [key, run.state])),
    };
  }

  /** Whether this run of ours began to judge anew, because what came before is in no memory of ours. */
  get beganAnew(): boolean {
    return this.#beganAnew;
  }

  /** Name of the present round of reading; see `caughtUp`. */
  get round(): number {
    return this.#round;
  }

  /** Takes an entry that a verified checkpoint covers, in the order of its log. */
  add(origin: string, event: CheckedEvent, index: number): Fraud | undefined {
    const counted = this.#counted.get(origin) ?? 0;
    // Read again, behind a run that ended between remembering numbers and remembering the log.
    if (index < counted) return undefined;
    if (index > counted) this.#begin();
    this.#counted.set(origin, index + 1);
    const { name, epoch, seq } = event.emitter;
    const key = `${name}/${epoch}`;
    const time = Date.parse(event.time);
    this.#latest = Math.max(this.#latest, time);
    this.#hear(event);
    if (seq > MAX_SEQ) return fraud('forged', `entry ${index}: ${key} has no number ${seq}`, index);
    const run = this.#run(key) ?? this.#newRun(key, seq - 1);
    if (!run.take(seq, this.complete ? stepOf(time) : undefined, this.#latest))
      return fraud('forged', `entry ${index}: number ${seq} of ${key} stands in two places`, index);
    const { seen } = run;
    if (!this.complete && seen.highest - seen.floor > 2 * WINDOW) run.raise(seen.highest - WINDOW);
    return undefined;
  }

  /** A log was read to the end of a checkpoint that was fetched when `round` was the present one. */
  caughtUp(origin: string, round: number): void {
    if (round !== this.#round) return;
    this.#waiting.delete(origin);
    if (this.#waiting.size > 0) return;
    this.#confirmed = this.#roundLatest;
    if (!this.#joined) for (const run of this.#runs.values()) run.begin();
    this.#joined = true;
    this.#nextRound();
  }

  /** What is wrong with the numbers so far. */
  unexplained(): Fraud[] {
    if (!this.complete || !this.#joined) return [];
    const until = this.#confirmed - SETTLE_MS;
    const found: Fraud[] = [];
    const several = this.#runs.get(SEVERAL)?.said ?? { missing: 0, late: 0 };
    for (const [key, run] of this.#runs) {
      const missing = run.settle(stepOf(until), several.missing);
      const [first] = missing;
      if (first) {
        const count = missing.reduce((sum, { from, to }) => sum + to - from + 1, 0);
        found.push(
          fraud(
            'dropped',
            `${count} events of ${key}, from number ${first.from} on, are in none of the logs, and no log says so`,
          ),
        );
      }
      const late = run.unspokenLate(until, several.late);
      if (late !== undefined)
        found.push(
          fraud('rewritten', `number ${late} of ${key} was put in after it was missing, and no log says so`),
        );
      if (found.length >= MAX_FRAUDS) break;
    }
    return found;
  }

  /** A log goes on elsewhere than it was left: what lies between is in no memory of ours. */
  #begin(): void {
    this.#beganAnew = true;
    this.#whole = false;
    this.#joined = false;
    for (const run of this.#runs.values()) run.begin();
    this.#nextRound();
  }

  #nextRound(): void {
    this.#round++;
    this.#roundLatest = this.#latest;
    this.#waiting = new Set(this.origins);
  }

  /** What the logs' own events say of other emitters' numbers. */
  #hear({ type, data, emitter }: CheckedEvent): void {
    if (emitter.name !== 'audit' || (type !== 'log.gap' && type !== 'log.reordered')) return;
    const { emitter: name, epoch, count, seq, expectedSeq } = data ?? {};
    if (typeof name !== 'string' || typeof epoch !== 'string') return;
    const key = `${name}/${epoch}`;
    const run = this.#run(key) ?? (key === SEVERAL ? this.#newRun(key, 0) : undefined);
    // Of a run that was not seen since we began: what is missing of it lies before.
    if (!run) return;
    const told = typeof count === 'number' ? count : 1;
    const [from, to] = [Number(expectedSeq), Number(seq)];
    if (type === 'log.reordered') run.hearLate(told, told === 1 ? to : undefined);
    else run.hearMissing(told, to - from + 1 === told ? { from, to } : undefined);
  }

  /** The run, where it is known or every one of its numbers must be in what was read. */
  #run(key: string): FollowedRun | undefined {
    return this.#runs.get(key) ?? (this.#whole ? this.#newRun(key, 0) : undefined);
  }

  #newRun(key: string, base: number): FollowedRun {
    const run = new FollowedRun(base);
    this.#runs.set(key, run);
    return run;
  }
}

const stepOf = (time: number): number => Math.floor(time / STEP_MS);
