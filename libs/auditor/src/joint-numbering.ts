import type { CheckedEvent } from './entry-check.js';
import { type Fraud, fraud } from './fraud.js';

/** The logs record a gap within this time, their rate limit included. */
const RECORD_MS = 30_000;
/** Steps of time in which it is remembered how far the numbers had come. */
const STEP_MS = 10_000;
/** Numbers of one run of an emitter; more would be years of full load. */
const MAX_SEQ = 500_000_000;
const MAX_FRAUDS = 16;
/** Emitter under which a log counts anomalies of too many emitters together. */
const SEVERAL = '(several)/(several)';

/** One run of an emitter, over all logs. */
interface Run {
  /** A bit per number that some log has. */
  seen: Uint32Array;
  /** Missing numbers that the logs themselves speak of. */
  said: number;
  /** By step of time: the highest number of an event that was dated in it. */
  progress: Map<number, number>;
}

/**
 * The numbering of all emitters over all logs of a deployment: within a run numbers go from 1 without a gap, and none stands in two
 * places. A single log can hide an event as one of another tenant; all of them together cannot.
 */
export class JointNumbering {
  private readonly runs = new Map<string, Run>();
  private latest = 0;

  /** Takes an event of any log, in any order among the logs. */
  add(event: CheckedEvent, index: number): Fraud | undefined {
    const { name, epoch, seq } = event.emitter;
    const time = Date.parse(event.time);
    this.latest = Math.max(this.latest, time);
    this.hear(event);
    const key = `${name}/${epoch}`;
    if (seq > MAX_SEQ) return fraud('forged', `entry ${index}: ${key} has no number ${seq}`, index);
    const run = this.run(key);
    const [word, bit] = [seq >>> 5, 1 << (seq & 31)];
    if (word >= run.seen.length) {
      const grown = new Uint32Array(Math.max(word + 1, run.seen.length * 2));
      grown.set(run.seen);
      run.seen = grown;
    }
    if ((run.seen[word]! & bit) !== 0)
      return fraud('forged', `entry ${index}: number ${seq} of ${key} stands in two places`, index);
    run.seen[word]! |= bit;
    const step = Math.floor(time / STEP_MS);
    run.progress.set(step, Math.max(run.progress.get(step) ?? 0, seq));
    return undefined;
  }

  /** Numbers that are in no log, and of which no log says so. */
  unexplained(): Fraud[] {
    const several = this.runs.get(SEVERAL)?.said ?? 0;
    const found: Fraud[] = [];
    for (const [key, run] of this.runs) {
      const { missing, first } = this.missing(run);
      if (missing <= run.said + several) continue;
      found.push(
        fraud(
          'dropped',
          `${missing} events of ${key}, from number ${first} on, are in none of the logs, and no log says so`,
        ),
      );
      if (found.length === MAX_FRAUDS) break;
    }
    return found;
  }

  private missing({ seen, progress }: Run): { missing: number; first: number } {
    // What later events reveal only now, the logs may still be about to record.
    const due = Math.floor((this.latest - RECORD_MS) / STEP_MS);
    let settled = 0;
    for (const [step, seq] of progress) if (step < due) settled = Math.max(settled, seq);
    let [missing, first] = [0, 0];
    for (let seq = 1; seq < settled; seq++) {
      if ((seen[seq >>> 5]! & (1 << (seq & 31))) !== 0) continue;
      if (missing++ === 0) first = seq;
    }
    return { missing, first };
  }

  private hear({ type, data, emitter }: CheckedEvent): void {
    if (emitter.name !== 'audit' || type !== 'log.gap') return;
    const { emitter: name, epoch, count } = data ?? {};
    if (typeof name !== 'string' || typeof epoch !== 'string') return;
    this.run(`${name}/${epoch}`).said += typeof count === 'number' ? count : 1;
  }

  private run(key: string): Run {
    let run = this.runs.get(key);
    if (!run) {
      run = { seen: new Uint32Array(32), said: 0, progress: new Map() };
      this.runs.set(key, run);
    }
    return run;
  }
}
