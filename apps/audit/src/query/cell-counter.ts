import type { Dictionary } from '../index/facts.js';
import { bitsOf, countCommon, countWithin, type Offsets } from '../index/offsets.js';
import type { SearchedSegment } from '../index/searched-segment.js';
import { MAX_CELLS } from './count-one-by-one.js';
import type { CountCell } from './event-reader.js';

/** Counts matches by the values of a field and in steps of time, a segment at a time, without looking at any event. */
export class CellCounter {
  readonly #steps = new Map<number, Map<string | null, number>>();
  #cells = 0;

  constructor(
    private readonly by: Dictionary,
    private readonly bucketMs: number,
  ) {}

  /** Adds the matches from offset `from` to before `to`. @throws RangeError for too many cells */
  add(segment: SearchedSegment, matches: Offsets, from: number, to: number): void {
    if (countWithin(matches, from, to) === 0) return;
    const bits = bitsOf(matches);
    const steps = this.#stepsOf(segment, from, to);
    const rest = steps.map((step) => countWithin(matches, step.from, step.to));
    for (const { value, offsets } of segment.values(this.by))
      for (const [i, step] of steps.entries()) {
        if (rest[i] === 0) continue;
        const count = countCommon(bits, offsets, step.from, step.to);
        rest[i]! -= count;
        this.#add(step.step, value, count);
      }
    for (const [i, { step }] of steps.entries()) this.#add(step, null, rest[i]!);
  }

  /** By time, the most frequent values first. */
  cells(): CountCell[] {
    return [...this.#steps]
      .sort(([a], [b]) => a - b)
      .flatMap(([step, values]) => {
        const at = new Date(step * this.bucketMs).toISOString();
        return [...values].sort(([, a], [, b]) => b - a).map(([value, count]) => ({ at, value, count }));
      });
  }

  #stepsOf(segment: SearchedSegment, from: number, to: number) {
    const step = Math.floor(segment.firstTime / this.bucketMs);
    if (step === Math.floor(segment.lastTime / this.bucketMs)) return [{ step, from, to }];
    const steps = [];
    for (const each of segment.times.steps(this.bucketMs, from, to)) {
      steps.push(each);
      if (steps.length > MAX_CELLS) throw new RangeError('too many steps of time or values');
    }
    return steps;
  }

  #add(step: number, value: string | null, count: number): void {
    if (count === 0) return;
    let values = this.#steps.get(step);
    if (!values) this.#steps.set(step, (values = new Map()));
    const before = values.get(value);
    values.set(value, (before ?? 0) + count);
    if (before === undefined && ++this.#cells > MAX_CELLS)
      throw new RangeError('too many steps of time or values');
  }
}
