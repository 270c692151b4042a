import { type CollateralKey, keyText } from '#collateral';
import { Logger } from '@nestjs/common';
import { pauseAfter, refreshAfter } from './back-off.js';
import { CollateralRefused, CollateralUnavailable } from './collateral-failure.js';
import type { CollateralFetcher, VerifiedCollateral } from './collateral-fetcher.js';
import type { RollbackGuard } from './rollback-guard.js';
import type { SharedCache } from './shared-cache/shared-cache.js';

export interface KeeperOptions {
  readonly graceSeconds: number;
  readonly refreshSeconds: number;
  readonly retryMs: number;
  /** Longest wait of one piece of evidence; the fetch itself goes on. */
  readonly waitMs: number;
  readonly clock: () => Date;
  /** Collateral came into force: the first for its key, or another than before. */
  readonly installed: (key: CollateralKey, collateral: VerifiedCollateral) => void;
  /** This replica fetched collateral that replaces another; the others learn of it from the one announcement. */
  readonly changed: (key: CollateralKey, previousId: string, id: string) => void;
}

interface Slot {
  readonly key: CollateralKey;
  held?: VerifiedCollateral;
  fetching?: Promise<VerifiedCollateral> | undefined;
  /** What another replica announced is being looked at. */
  adopting: boolean;
  /** Is to be had before evidence asks for it. */
  wanted: boolean;
  /** Failures in a row. */
  failures: number;
  failure?: CollateralRefused | CollateralUnavailable | undefined;
  /** No fetch before this time (ms). */
  notBefore: number;
  /** When to fetch again (ms). */
  refreshAt: number;
  usedAt: number;
}

/** Keys are admitted only for evidence that chains to a trust anchor, so that more than this many do not occur. */
const MAX_KEYS = 1_024;
const TICK_MS = 500;
/** How long a replica waits for another one that is fetching. */
const OTHER_REPLICA_MS = 5_000;
const OTHER_REPLICA_POLL_MS = 200;
/** By how much the clock of another replica may be ahead. */
const CLOCK_SKEW_MS = 60_000;
/** How often a source of this replica is looked at again: an operator who puts a file there waits for its effect. */
const LOCAL_SECONDS = 60;
/** Ends a fetch over all sources. */
const FETCH_DEADLINE_MS = 60_000;

/** Keeps collateral per key: fetched once at a time, refreshed before it expires, never served past expiry and grace. */
export class CollateralKeeper {
  private readonly log = new Logger(CollateralKeeper.name);
  private readonly slots = new Map<string, Slot>();
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly fetcher: CollateralFetcher,
    private readonly shared: SharedCache,
    private readonly guard: RollbackGuard,
    private readonly options: KeeperOptions,
  ) {}

  async start(prefetch: readonly CollateralKey[]): Promise<void> {
    await this.shared.watch((key) => this.sharedChanged(key));
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.fetcher.onSourceChange(() => this.lookAgain());
    for (const key of prefetch) {
      const slot = this.slotOf(key);
      slot.wanted = true;
      this.begin(slot).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await Promise.allSettled([...this.slots.values()].flatMap(({ fetching }) => fetching ?? []));
    await this.shared.close();
    await this.fetcher.close();
  }

  /** Collateral that is in force now, fetched if need be. Throws CollateralRefused or CollateralUnavailable. */
  async obtain(key: CollateralKey): Promise<VerifiedCollateral> {
    const slot = this.slotOf(key);
    const now = this.now();
    slot.usedAt = now;
    if (slot.held !== undefined && this.inForce(slot.held, now)) return slot.held;
    if (slot.fetching === undefined && now < slot.notBefore && slot.failure !== undefined) throw slot.failure;
    return this.within(slot.fetching ?? this.begin(slot), slot);
  }

  /** Everything that is held, for the summary. */
  held(): { key: CollateralKey; collateral: VerifiedCollateral; refreshAt: Date; failure?: string }[] {
    return [...this.slots.values()].flatMap((slot) =>
      slot.held === undefined
        ? []
        : [
            {
              key: slot.key,
              collateral: slot.held,
              refreshAt: new Date(slot.refreshAt),
              ...(slot.failure === undefined ? {} : { failure: slot.failure.message }),
            },
          ],
    );
  }

  private now(): number {
    return this.options.clock().getTime();
  }

  private inForce(collateral: VerifiedCollateral, now: number): boolean {
    const { freshFrom, freshUntil } = collateral.epoch;
    return freshFrom.getTime() <= now && now <= freshUntil.getTime();
  }

  private slotOf(key: CollateralKey): Slot {
    const text = keyText(key);
    let slot = this.slots.get(text);
    if (slot === undefined) {
      if (this.slots.size >= MAX_KEYS) this.evict();
      slot = {
        key,
        adopting: false,
        wanted: false,
        failures: 0,
        notBefore: 0,
        refreshAt: Infinity,
        usedAt: this.now(),
      };
      this.slots.set(text, slot);
    }
    return slot;
  }

  private evict(): void {
    const idle = [...this.slots.entries()].filter(([, slot]) => slot.fetching === undefined);
    const oldest = idle.sort(([, a], [, b]) => a.usedAt - b.usedAt)[0];
    if (oldest === undefined) throw new CollateralUnavailable('too many kinds of platforms at once');
    this.slots.delete(oldest[0]);
  }

  /** One fetch per key at a time; everybody waits for the same. */
  private begin(slot: Slot): Promise<VerifiedCollateral> {
    const fetching = this.renew(slot).finally(() => {
      slot.fetching = undefined;
    });
    slot.fetching = fetching;
    // Those who wait see the failure; a refresh has nobody who does.
    fetching.catch(() => undefined);
    return fetching;
  }

  private async within(fetching: Promise<VerifiedCollateral>, slot: Slot): Promise<VerifiedCollateral> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new CollateralUnavailable(`no collateral for ${keyText(slot.key)} yet`)),
        this.options.waitMs,
      );
    });
    try {
      return await Promise.race([fetching, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async renew(slot: Slot): Promise<VerifiedCollateral> {
    const text = keyText(slot.key);
    try {
      const found = (await this.fromOthers(slot)) ?? (await this.fromSources(slot));
      slot.failures = 0;
      slot.failure = undefined;
      slot.notBefore = 0;
      return found;
    } catch (error) {
      const failure =
        error instanceof CollateralRefused || error instanceof CollateralUnavailable
          ? error
          : new CollateralUnavailable('a fetch failed unexpectedly', { cause: error });
      if (failure !== error) this.log.error({ msg: `fetch for ${text} failed`, err: error });
      slot.failures++;
      slot.failure = failure;
      slot.notBefore = this.now() + pauseAfter(slot.failures, this.options.retryMs);
      if (slot.held !== undefined || slot.wanted) slot.refreshAt = slot.notBefore;
      this.log.warn(`no new collateral for ${text} (failure ${slot.failures}): ${failure.message}`);
      if (slot.held !== undefined && this.inForce(slot.held, this.now())) return slot.held;
      throw failure;
    }
  }

  /** What another replica fetched lately. */
  private async fromOthers(slot: Slot): Promise<VerifiedCollateral | undefined> {
    const text = keyText(slot.key);
    const record = await this.shared.read(text);
    if (record === undefined) return undefined;
    const age = this.now() - record.fetchedAt.getTime();
    // What this replica fetched itself is not news, and what is due for a refresh is to be fetched.
    if (age < -CLOCK_SKEW_MS || age >= this.options.refreshSeconds * 1_000) return undefined;
    if (slot.held !== undefined && record.fetchedAt <= slot.held.fetchedAt) return undefined;
    try {
      const found = await this.fetcher.verify(
        slot.key,
        record.bundle,
        { name: record.source },
        record.fetchedAt,
      );
      if (found.epoch.earliestExpiration.getTime() < this.now()) return undefined;
      await this.install(slot, found);
      return found;
    } catch (error) {
      this.log.warn(`shared collateral for ${text} was not used: ${(error as Error).message}`);
      return undefined;
    }
  }

  private async fromSources(slot: Slot): Promise<VerifiedCollateral> {
    const text = keyText(slot.key);
    let lease = await this.shared.lease(text);
    const patience = performance.now() + OTHER_REPLICA_MS;
    while (lease === undefined && performance.now() < patience && !this.stopping.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, OTHER_REPLICA_POLL_MS));
      const found = await this.fromOthers(slot);
      if (found !== undefined) return found;
      lease = await this.shared.lease(text);
    }
    try {
      const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(FETCH_DEADLINE_MS)]);
      const fetched = await this.fetcher.fetch(slot.key, signal);
      const found = this.newer(slot.held, fetched);
      const previousId = slot.held?.epoch.id ?? this.guard.lastId(text);
      await this.install(slot, found);
      if (!found.local) await this.shared.write(text, found);
      if (previousId !== undefined && previousId !== found.epoch.id)
        this.options.changed(slot.key, previousId, found.epoch.id);
      return found;
    } finally {
      await lease?.release();
    }
  }

  /** Caches behind one address may lag behind each other: of two that are in force, the one issued later stays. */
  private newer(held: VerifiedCollateral | undefined, fetched: VerifiedCollateral): VerifiedCollateral {
    if (held === undefined || !this.inForce(held, this.now())) return fetched;
    const older = fetched.epoch.summary.tcbInfoIssueDate < held.epoch.summary.tcbInfoIssueDate;
    return older ? { ...held, fetchedAt: fetched.fetchedAt } : fetched;
  }

  private async install(slot: Slot, found: VerifiedCollateral): Promise<void> {
    const now = this.now();
    slot.refreshAt =
      now +
      refreshAfter(
        now,
        found.fetchedAt.getTime(),
        found.epoch.earliestExpiration.getTime(),
        found.local ? Math.min(LOCAL_SECONDS, this.options.refreshSeconds) : this.options.refreshSeconds,
        Math.min(this.options.retryMs, 60_000),
      );
    const news = slot.held?.epoch.id !== found.epoch.id;
    slot.held = found;
    if (!news) return;
    this.log.log(
      `collateral for ${keyText(slot.key)} from ${found.source}: evaluation ${found.epoch.tcbEvaluationDataNumber}, ` +
        `in force until ${found.epoch.earliestExpiration.toISOString()}`,
    );
    this.options.installed(slot.key, found);
    await this.guard.raise(keyText(slot.key), found.epoch.summary, found.bundle);
  }

  private sharedChanged(text: string): void {
    const slot = this.slots.get(text);
    if (slot === undefined || slot.fetching !== undefined || slot.adopting) return;
    slot.adopting = true;
    void this.fromOthers(slot)
      .catch((error: unknown) => this.log.error({ msg: `shared collateral for ${text}`, err: error }))
      .finally(() => {
        slot.adopting = false;
      });
  }

  /** A source has something else than before: what failed may go now, and what is held may be replaced. */
  private lookAgain(): void {
    for (const slot of this.slots.values()) {
      slot.notBefore = 0;
      slot.failure = undefined;
      if (slot.held === undefined && !slot.wanted) continue;
      const soon = (): void => {
        slot.refreshAt = this.now();
      };
      // A fetch under way may have asked before the change.
      if (slot.fetching === undefined) soon();
      else void slot.fetching.then(soon, soon);
    }
  }

  private tick(): void {
    const now = this.now();
    for (const slot of this.slots.values()) {
      if (slot.fetching === undefined && slot.refreshAt <= now && slot.notBefore <= now)
        void this.begin(slot);
    }
  }
}
