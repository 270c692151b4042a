import { parseEntry } from '../index/indexed-fields.js';
import { type PackedEvents, type StoredEvent, unpack } from '../query/packed-events.js';
import type { OwnStatement } from '../sequencing/own-events.js';
import { FencedError } from '../store/fenced-error.js';
import type { ArchiveWriter, KeptEvidence } from './archive.js';
import type { PendingEvidence } from './pending-evidence.js';

const WINDOW = 256;
const TICK_MS = 1_000;
/** Time that events and evidence gather: one look and one transaction for each would cost more than the evidence. */
const GATHER_MS = 250;
const RETRY_MS = 2_000;
/** Digests that one record of missing evidence names. */
const NAMED = 64;
/** Time between two such records of a tenant. */
const RECORD_INTERVAL_MS = 5_000;
/** After that time a record is in the log, and what it says need not be remembered. */
const RECORDED_MS = 3_000;
/** Events whose evidence may be awaited at once; the log is not looked through further before they are settled. */
const MAX_AWAITED = 20_000;

/** Which events' evidence is kept. */
export type Retained = 'granted' | 'all';

export interface KeeperOptions {
  retained: Retained;
  /** How long evidence may come after its event, in milliseconds. */
  graceMs: number;
  /** Entries behind a position in the order of the log. */
  after: (position: number, limit: number) => Promise<PackedEvents>;
  /** Position of the last entry now: where the first start begins. */
  head: () => number;
  record: (statement: OwnStatement) => void;
  /** Whether what a former keeper was handed and did not keep may be here as well: each replica is handed all of it. */
  handedToAll: boolean;
  onProblem: (message: string) => void;
  now?: () => number;
}

interface Awaited {
  position: number;
  event: string;
  tenant: string;
  collateral: string | undefined;
  deadline: number;
  recordedAt?: number;
}

/**
 * Follows the log and keeps the evidence that its events name, off the way of every release: a release waits for its event alone.
 * Evidence that does not come within the grace is recorded in the log as missing; an event's digest stays what it was.
 */
export class EvidenceKeeper {
  readonly #awaited = new Map<string, Awaited>();
  #position = 0;
  #startedAt = 0;
  #recordedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #woken = false;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #problem: string | undefined;

  constructor(
    private readonly archive: Pick<ArchiveWriter, 'mark' | 'known' | 'commit'>,
    private readonly pending: PendingEvidence,
    private readonly options: KeeperOptions,
  ) {}

  /** Events whose evidence is awaited. */
  get awaited(): number {
    return this.#awaited.size;
  }

  async start(): Promise<void> {
    const mark = await this.archive.mark();
    this.#startedAt = (this.options.now ?? Date.now)();
    this.#position = mark ?? this.options.head();
    if (mark === undefined) await this.archive.commit([], this.#position);
  }

  /** Goes on by itself until it is stopped. */
  run(): void {
    this.#running = this.#run();
  }

  /** There are new entries, or evidence came. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  /** One round; whether there may be more to do at once. */
  async step(): Promise<boolean> {
    const now = (this.options.now ?? Date.now)();
    const room = Math.min(WINDOW, MAX_AWAITED - this.#awaited.size);
    const events = room > 0 ? unpack(await this.options.after(this.#position, room)) : [];
    const named = events.flatMap((event) => this.#look(event, now));
    const position = events.at(-1)?.position ?? this.#position;
    const evidence = this.#arrived();
    // What is not kept when its event is seen will be by our own hand alone.
    const asked = named.filter((sha256) => this.pending.get(sha256) === undefined);
    const known = asked.length === 0 ? [] : await this.archive.known(asked);
    const done = new Set([...evidence.map(({ sha256 }) => sha256), ...known, ...this.#recorded(now)]);
    let mark = position;
    // Behind a restart the log is looked through again from the first event whose evidence is still to come.
    for (const [sha256, { position: at }] of this.#awaited)
      if (!done.has(sha256)) mark = Math.min(mark, at - 1);
    if (events.length > 0 || done.size > 0) await this.archive.commit(evidence, mark);
    this.#position = position;
    for (const sha256 of done) {
      this.#awaited.delete(sha256);
      this.pending.delete(sha256);
    }
    this.#recordOverdue(now);
    return events.length === WINDOW;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let pause = TICK_MS;
      this.#woken = false;
      try {
        if (await this.step()) continue;
        this.#problem = undefined;
      } catch (error) {
        const { message } = error as Error;
        // Another process keeps from here on; it looks through the log from the mark that is there.
        if (this.#stopped || error instanceof FencedError) return;
        if (message !== this.#problem) this.options.onProblem(message);
        this.#problem = message;
        pause = RETRY_MS;
      }
      await this.#sleep(GATHER_MS, false);
      await this.#sleep(pause - GATHER_MS);
    }
  }

  /** The digest that the event names, if its evidence is to be kept and is not awaited already. */
  #look({ position, time, entry }: StoredEvent, now: number): string[] {
    const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
    // Most events have none: a look at the bytes is far cheaper than parsing them.
    if (!bytes.includes('"evidence":{')) return [];
    const { event } = parseEntry(entry);
    const { evidence } = (event as { data?: { evidence?: Record<string, unknown> } }).data ?? {};
    const { sha256, collateral } = evidence ?? {};
    if (typeof sha256 !== 'string' || !this.#isRetained(event) || this.#awaited.has(sha256)) return [];
    this.#awaited.set(sha256, {
      position,
      event: event.id,
      tenant: event.tenant,
      collateral: typeof collateral === 'string' ? collateral : undefined,
      // What was handed over to a former process alone, and not kept by it, does not come again.
      deadline:
        time < this.#startedAt && !this.options.handedToAll
          ? now
          : Math.max(time, now) + this.options.graceMs,
    });
    return [sha256];
  }

  /** Not a re-appraisal: it names evidence of long ago. */
  #isRetained({ type, outcome }: { type: string; outcome: string }): boolean {
    if (type === 'session.reappraised') return false;
    return this.options.retained === 'all' || outcome === 'granted';
  }

  #arrived(): KeptEvidence[] {
    return [...this.#awaited].flatMap(([sha256, { collateral }]) => {
      const bytes = this.pending.get(sha256);
      return bytes === undefined ? [] : [{ sha256, bytes, collateral }];
    });
  }

  /** What was recorded as missing long enough ago to be forgotten. */
  #recorded(now: number): string[] {
    return [...this.#awaited]
      .filter(([, { recordedAt }]) => recordedAt !== undefined && now - recordedAt > RECORDED_MS)
      .map(([sha256]) => sha256);
  }

  /** Records what is overdue, all of it together and not too often. */
  #recordOverdue(now: number): void {
    if (now - this.#recordedAt < RECORD_INTERVAL_MS) return;
    const overdue = [...this.#awaited].filter(
      ([, { deadline, recordedAt }]) => deadline <= now && recordedAt === undefined,
    );
    if (overdue.length === 0) return;
    this.#recordedAt = now;
    for (const tenant of new Set(overdue.map(([, awaited]) => awaited.tenant))) {
      const own = overdue.filter(([, awaited]) => awaited.tenant === tenant);
      const missing = own.slice(0, NAMED).map(([sha256, { event }]) => ({ sha256, event }));
      this.options.record({
        type: 'evidence.missing',
        tenant,
        outcome: 'alert',
        reason: { code: 'EVIDENCE_MISSING', message: 'Evidence that events name is not kept.' },
        data: { count: own.length, missing },
      });
    }
    for (const [, awaited] of overdue) awaited.recordedAt = now;
  }

  /** Waits until there is news, at most so long; unless `wakeable`, until then or the end. */
  #sleep(milliseconds: number, wakeable = true): Promise<void> {
    if (this.#stopped || (wakeable && this.#woken)) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(finish, milliseconds);
      this.#wake = () => {
        if (wakeable || this.#stopped) finish();
      };
    });
  }
}
