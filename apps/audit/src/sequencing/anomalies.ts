/** What can be wrong with the events that reach the log; each is recorded as `log.<kind>`. */
export type AnomalyKind = 'gap' | 'duplicate' | 'reordered' | 'forged';

export interface Anomaly {
  kind: AnomalyKind;
  tenant: string;
  emitter: string;
  epoch: string;
  expectedSeq?: number;
  seq?: number;
  count: number;
  reason: { code: string; message: string };
}

const WINDOW_MS = 10_000;
const MAX_KEYS = 256;

/**
 * Turns observations into a bounded number of records: the first of a kind per emitter is recorded at once, the rest of
 * the following ten seconds as one record with their count. Whoever floods the log with bad events cannot fill it, nor
 * this memory: emitters beyond a limit are counted together, by tenant.
 */
export class AnomalyLedger {
  readonly #windows = new Map<string, { since: number; pending: Anomaly | undefined }>();
  #due: Anomaly[] = [];

  note(anomaly: Anomaly, now: number): void {
    let key = `${anomaly.kind}\n${anomaly.tenant}\n${anomaly.emitter}\n${anomaly.epoch}`;
    let noted = anomaly;
    if (!this.#windows.has(key) && this.#windows.size >= MAX_KEYS) {
      // In the tenant's own log still: who follows it alone believes no other.
      key = `${anomaly.kind}\n${anomaly.tenant}`;
      const { seq: _seq, expectedSeq: _expected, ...rest } = anomaly;
      noted = { ...rest, emitter: '(several)', epoch: '(several)' };
    }
    const window = this.#windows.get(key);
    if (!window) {
      this.#windows.set(key, { since: now, pending: undefined });
      this.#due.push(noted);
    } else if (window.pending) {
      window.pending.count += noted.count;
    } else {
      window.pending = { ...noted };
    }
  }

  hasDue(now: number): boolean {
    if (this.#due.length > 0) return true;
    for (const { since, pending } of this.#windows.values())
      if (pending && now - since >= WINDOW_MS) return true;
    return false;
  }

  /** Takes back what `take` gave: it could not be recorded. */
  restore(anomalies: readonly Anomaly[]): void {
    this.#due = [...anomalies, ...this.#due].slice(0, 2 * MAX_KEYS);
  }

  /** What is to be recorded now; forgets it. */
  take(now: number): Anomaly[] {
    const due = this.#due;
    this.#due = [];
    for (const [key, window] of this.#windows) {
      if (now - window.since < WINDOW_MS) continue;
      if (window.pending) {
        due.push(window.pending);
        window.pending = undefined;
        window.since = now;
      } else this.#windows.delete(key);
    }
    return due;
  }

  /** Everything not yet recorded, whatever its window: the service ends. */
  drain(): Anomaly[] {
    const due = [...this.#due, ...[...this.#windows.values()].flatMap(({ pending }) => pending ?? [])];
    this.#due = [];
    this.#windows.clear();
    return due;
  }
}
