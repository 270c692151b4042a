/** The log's times of a segment: one for each run of events that were committed together. They never decrease. */
export class TimeRuns {
  readonly #times: number[] = [];
  readonly #starts: number[] = [];

  add(offset: number, time: number): void {
    if (this.#times.at(-1) === time) return;
    this.#times.push(time);
    this.#starts.push(offset);
  }

  get first(): number {
    return this.#times[0] ?? 0;
  }

  get last(): number {
    return this.#times.at(-1) ?? 0;
  }

  /** The first offset whose time is not before `time`; `end` if there is none. */
  offsetAt(time: number, end: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return this.#starts[low] ?? end;
  }

  /** The offsets from `from` to before `to`, by the step of time that they are in. */
  *steps(ms: number, from: number, to: number): Generator<{ step: number; from: number; to: number }> {
    for (let at = from; at < to;) {
      const step = Math.floor(this.#timeAt(at) / ms);
      const next = Math.min(this.offsetAt((step + 1) * ms, to), to);
      yield { step, from: at, to: next };
      at = next;
    }
  }

  /** Runs that begin at `from` or later, as pairs of offset and time. */
  since(from: number): number[] {
    return this.#starts.flatMap((start, i) => (start >= from ? [start, this.#times[i]!] : []));
  }

  encode(): Uint8Array {
    const count = this.#times.length;
    const bytes = new Uint8Array(count * 10);
    new Float64Array(bytes.buffer, 0, count).set(this.#times);
    new Uint16Array(bytes.buffer, count * 8, count).set(this.#starts);
    return bytes;
  }

  static decode(encoded: Uint8Array): TimeRuns {
    const bytes = encoded.slice();
    const count = Math.floor(bytes.length / 10);
    const times = new Float64Array(bytes.buffer, 0, count);
    const starts = new Uint16Array(bytes.buffer, count * 8, count);
    const runs = new TimeRuns();
    for (let i = 0; i < count; i++) runs.add(starts[i]!, times[i]!);
    return runs;
  }

  #timeAt(offset: number): number {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#times[low - 1] ?? 0;
  }
}
