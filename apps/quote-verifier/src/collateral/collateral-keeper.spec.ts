import { type CollateralKey, type CollateralSource, SourceError } from '#collateral';
import { trustAnchorFromPem, type CollateralBundle } from '#dcap';
import { SimulatedSgx } from '#simulator';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { CollateralRefused, CollateralUnavailable } from './collateral-failure.js';
import { CollateralFetcher } from './collateral-fetcher.js';
import { CollateralKeeper } from './collateral-keeper.js';
import { CollateralMetrics } from './collateral-metrics.js';
import { type CollateralOpener, factsOf, openCollateral } from './collateral-opener.js';
import { RollbackGuard } from './rollback-guard.js';
import { NoSharedCache } from './shared-cache/shared-cache.js';

const start = Date.parse('2026-11-23T12:00:00Z');
const day = 86_400_000;
const sgx = SimulatedSgx.create({ seed: 'keeper' });
const anchors = [trustAnchorFromPem(sgx.rootPem, { id: 'sim', simulated: true })];
const key: CollateralKey = { tee: 'sgx', fmspc: '00606a000000', ca: 'platform', anchor: 'sim' };

/** A source whose answers the test decides. */
class DecidedSource implements CollateralSource {
  readonly name = 'decided';
  local = false;
  asked = 0;
  answer: () => Promise<CollateralBundle> = () =>
    Promise.reject(new SourceError('decided', 'unreachable', 'away'));

  async fetch(): Promise<readonly CollateralBundle[]> {
    this.asked++;
    return [await this.answer()];
  }
  change: () => void = () => undefined;
  onChange(listener: () => void): void {
    this.change = listener;
  }
  async close(): Promise<void> {}
}

describe('CollateralKeeper', () => {
  let folder: string;
  let now: number;
  let source: DecidedSource;
  let keeper: CollateralKeeper;
  const changes: string[] = [];
  const at = (time: number): CollateralBundle => sgx.collateral({ at: new Date(time) });

  function make(graceSeconds = 0): CollateralKeeper {
    const clock = (): Date => new Date(now);
    const guard = new RollbackGuard(join(folder, 'floors.json'));
    const opener: CollateralOpener = {
      open: async (of, bundle, when) => factsOf(openCollateral(of, bundle, { anchors, graceSeconds }, when)),
    };
    const fetcher = new CollateralFetcher([source], opener, guard, new CollateralMetrics(new Registry()), {
      update: 'standard',
      retryMs: 10_000,
      clock,
    });
    return new CollateralKeeper(fetcher, new NoSharedCache(), guard, {
      graceSeconds,
      refreshSeconds: 86_400,
      retryMs: 10_000,
      waitMs: 2_000,
      clock,
      installed: () => undefined,
      changed: (_key, previousId, id) => changes.push(`${previousId} ${id}`),
    });
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'siegel-keeper-'));
    now = start;
    source = new DecidedSource();
    changes.length = 0;
    keeper = make();
  });
  afterEach(async () => {
    await keeper.stop();
    rmSync(folder, { recursive: true });
  });

  it('fetches once for all who ask, and not again while it is in force', async () => {
    source.answer = async () => at(start);
    const found = await Promise.all(Array.from({ length: 10 }, () => keeper.obtain(key)));
    expect(new Set(found.map(({ epoch }) => epoch)).size).toBe(1);
    now += 20 * day;
    await keeper.obtain(key);
    expect(source.asked).toBe(1);
  });

  it('does not serve past expiry without a grace, and with one to its end', async () => {
    for (const grace of [0, 5 * 86_400]) {
      await keeper.stop();
      now = start;
      source = new DecidedSource();
      keeper = make(grace);
      source.answer = async () => at(start);
      await keeper.obtain(key);
      source.answer = () => Promise.reject(new SourceError('decided', 'unreachable', 'away'));
      const end = Date.parse('2026-12-23T00:00:00Z') + grace * 1_000;
      now = end;
      await expect(keeper.obtain(key)).resolves.toBeDefined();
      now = end + 1;
      await expect(keeper.obtain(key)).rejects.toBeInstanceOf(CollateralUnavailable);
    }
  });

  it('leaves a failing source alone for a while, longer each time', async () => {
    for (let asked = 1; asked <= 3; asked++) {
      await expect(keeper.obtain(key)).rejects.toThrow('away');
      await expect(keeper.obtain(key)).rejects.toThrow('away');
      expect(source.asked).toBe(asked);
      now += 10_000 * 2 ** (asked - 1);
    }
    source.answer = async () => at(start);
    await expect(keeper.obtain(key)).resolves.toBeDefined();
  });

  it('asks again at once when a source says that it has something else', async () => {
    await keeper.start([]);
    await expect(keeper.obtain(key)).rejects.toThrow('away');
    source.answer = async () => sgx.collateral({ at: new Date(start), tcbEvaluationDataNumber: 20 });
    await expect(keeper.obtain(key)).rejects.toThrow('away');
    source.change();
    const first = await keeper.obtain(key);
    source.answer = async () => sgx.collateral({ at: new Date(start), tcbEvaluationDataNumber: 21 });
    source.change();
    for (const end = Date.now() + 5_000; changes.length === 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await keeper.obtain(key);
    expect(second.epoch.tcbEvaluationDataNumber).toBe(21);
    expect(second.epoch.id).not.toBe(first.epoch.id);
  });

  it('keeps nobody waiting longer than it may, and has the collateral for the next', async () => {
    let give: ((bundle: CollateralBundle) => void) | undefined;
    source.answer = () => new Promise((resolve) => (give = resolve));
    await expect(keeper.obtain(key)).rejects.toThrow('yet');
    give?.(at(start));
    await expect(keeper.obtain(key)).resolves.toMatchObject({ source: 'decided' });
    expect(source.asked).toBe(1);
  });

  it('tells expired collateral from none', async () => {
    source.answer = async () => at(start - 60 * day);
    const refusal: unknown = await keeper.obtain(key).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(CollateralRefused);
    expect((refusal as CollateralRefused).step).toBe('collateral-time');
  });

  it('keeps the later of two that are in force, and announces only a change', async () => {
    const issued = (time: number): CollateralBundle =>
      sgx.collateral({ at: new Date(time), crlNumber: 5_000 });
    const fetched = async (times: number): Promise<void> => {
      const deadline = Date.now() + 5_000;
      while (source.asked < times && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 100));
    };
    source.answer = async () => issued(start);
    const first = await keeper.obtain(key);
    await keeper.start([]);
    now += 2 * day;
    source.answer = async () => issued(start - 3 * day);
    await fetched(2);
    expect((await keeper.obtain(key)).epoch.id).toBe(first.epoch.id);
    expect(keeper.held()[0]).not.toHaveProperty('failure');
    expect(changes).toEqual([]);
    now += 2 * day;
    source.answer = async () => issued(now);
    await fetched(3);
    const last = await keeper.obtain(key);
    expect(last.epoch.id).not.toBe(first.epoch.id);
    expect(changes).toEqual([`${first.epoch.id} ${last.epoch.id}`]);
  });

  it('looks at a source of its own again after a minute', async () => {
    source.local = true;
    source.answer = async () => at(start);
    const first = await keeper.obtain(key);
    await keeper.start([]);
    now += 61_000;
    source.answer = async () => sgx.collateral({ at: new Date(start), tcbEvaluationDataNumber: 30 });
    const deadline = Date.now() + 5_000;
    while (changes.length === 0 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await keeper.obtain(key);
    expect(second.epoch.summary.tcbEvaluationDataNumber).toBe(30);
    expect(changes).toEqual([`${first.epoch.id} ${second.epoch.id}`]);
  });

  it('tries again for what it is to prefetch, without being asked', async () => {
    const until = async (holds: () => boolean): Promise<void> => {
      const deadline = Date.now() + 5_000;
      while (!holds() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await keeper.start([key]);
    await until(() => source.asked === 1);
    source.answer = async () => at(start);
    now += 20_000;
    await until(() => keeper.held().length === 1);
    expect(keeper.held()).toHaveLength(1);
    expect(source.asked).toBe(2);
  });

  it('refuses collateral of another platform than it asked for', async () => {
    source.answer = async () => sgx.collateral({ at: new Date(start), fmspc: '00906ED50000' });
    await expect(keeper.obtain(key)).rejects.toThrow(/00906ed50000/);
  });
});
