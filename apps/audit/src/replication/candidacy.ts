import type { Holder, Lease } from '../store/postgres/lease.js';

/** One term of this process. */
export interface LedTerm {
  /** Resolves when the term is over: another process leads, or the store is out of reach. */
  over: Promise<void>;
  /** Ends it: in order, with a last commit, or by force where it is over already. */
  end(inOrder: boolean): Promise<void>;
}

export interface CandidacySettings {
  lease: Lease;
  /** Name of this replica. */
  holder: string;
  /** Time without a sign of the leader after which another may try, in milliseconds. */
  leaseMs: number;
  /** Starts to lead. What it throws is a problem that may pass, unless `hopeless` says otherwise. */
  lead: (term: number, takenFrom: Holder) => Promise<LedTerm>;
  /** Whether an error means that this process can never lead. */
  hopeless: (error: unknown) => boolean;
  onHopeless: (error: Error) => void;
  onProblem: (message: string) => void;
}

const LOCK_WAIT_MS = 1_000;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Stands for leading until it is closed: watches the leader, begins a term when there is none, and stands again when its
 * own is over. Watching needs no clock that anybody else has: a leader is alive if its beat changes while we look.
 */
export class Candidacy {
  #closed = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #led: LedTerm | undefined;
  #term: number | undefined;

  constructor(private readonly settings: CandidacySettings) {}

  start(): void {
    this.#running = this.#run();
  }

  /** The term under way, where this process leads. */
  get term(): number | undefined {
    return this.#led === undefined ? undefined : this.#term;
  }

  /** Steps down in order and stands no more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { lease, holder, onProblem } = this.settings;
    let pause = 0;
    let problem = '';
    while (!this.#closed) {
      try {
        const seen = await this.#vacancy();
        if (!seen) break;
        const term = await this.#claim(seen, holder);
        if (term === undefined) continue;
        await this.#lead(term, seen);
        pause = 0;
        problem = '';
      } catch (error) {
        if (this.settings.hopeless(error)) {
          if (this.#term !== undefined) await lease.release(this.#term).catch(() => undefined);
          this.settings.onHopeless(error as Error);
          return;
        }
        const { message } = error as Error;
        if (message !== problem) onProblem(message);
        problem = message;
        pause = Math.min(pause * 2 + 100, LONGEST_PAUSE_MS);
        await this.#sleep(pause);
      }
    }
  }

  async #lead(term: number, takenFrom: Holder): Promise<void> {
    const { lease, lead } = this.settings;
    this.#term = term;
    const led = await lead(term, takenFrom);
    this.#led = led;
    let over = false;
    if (!this.#closed)
      await Promise.race([
        led.over.then(() => (over = true)),
        new Promise<void>((resolve) => (this.#wake = resolve)),
      ]);
    this.#led = undefined;
    await led.end(!over);
    if (!over) await lease.release(term);
  }

  /** Waits until nobody leads; undefined if closed meanwhile. */
  async #vacancy(): Promise<Holder | undefined> {
    const { lease, leaseMs } = this.settings;
    let last: Holder | undefined;
    let since = 0;
    let gone = 0;
    while (!this.#closed) {
      const now = await lease.observe();
      const moved = !last || now.term !== last.term || now.beat !== last.beat;
      if (moved) since = performance.now();
      last = now;
      // A leader that reconnects registers anew at once: only one that is gone twice in a row is.
      gone = now.connected === false ? gone + 1 : 0;
      if (now.holder === '' || gone >= 2 || performance.now() - since >= leaseMs) return now;
      await this.#sleep(leaseMs / 10);
    }
    return undefined;
  }

  /** A claim that the former leader's connection keeps waiting is tried again without that connection. */
  async #claim(seen: Holder, holder: string): Promise<number | undefined> {
    const { lease, onProblem } = this.settings;
    const term = lease.claim(seen, holder, LOCK_WAIT_MS);
    return term.catch(async (error: unknown) => {
      onProblem(`the former leader holds its lock: ${(error as Error).message}`);
      await lease.evict();
      return undefined;
    });
  }

  #sleep(milliseconds: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
