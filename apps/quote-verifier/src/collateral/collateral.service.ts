import type { CollateralKey, PckQuery } from '#collateral';
import { SUBJECTS } from '#contracts';
import type { CollateralBundle } from '#dcap';
import { NATS_CONNECTION } from '#platform';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { CollateralUnavailable } from './collateral-failure.js';
import { CollateralFetcher, type VerifiedCollateral } from './collateral-fetcher.js';
import { CollateralKeeper } from './collateral-keeper.js';
import { CollateralMetrics } from './collateral-metrics.js';
import { COLLATERAL_OPENER, type CollateralOpener } from './collateral-opener.js';
import type { HeldEpoch } from './collateral-report.js';
import { COLLATERAL_SETTINGS, type CollateralSettings } from './collateral-settings.js';
import { PckChains } from './pck-chains.js';
import { RollbackGuard } from './rollback-guard.js';
import { openSharedCache } from './shared-cache/jetstream-cache.js';
import { NoSharedCache } from './shared-cache/shared-cache.js';

type Installed = (key: CollateralKey, collateral: VerifiedCollateral) => void;

/** The collateral of this process within its surroundings: sources, the shared bucket, announcements and metrics. */
@Injectable()
export class CollateralService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger(CollateralService.name);
  private readonly fetcher: CollateralFetcher;
  private readonly pckChains: PckChains;
  private readonly guard: RollbackGuard;
  private readonly listeners: Installed[] = [];
  private keeper: CollateralKeeper | undefined;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(COLLATERAL_SETTINGS) private readonly settings: CollateralSettings,
    private readonly metrics: CollateralMetrics,
    @Inject(COLLATERAL_OPENER) opener: CollateralOpener,
  ) {
    this.guard = new RollbackGuard(settings.floorFile);
    this.fetcher = new CollateralFetcher(settings.sources, opener, this.guard, metrics, settings);
    this.pckChains = new PckChains(this.fetcher, settings.waitMs);
  }

  /** Calls with all collateral that comes into force from now on. */
  onInstalled(listener: Installed): void {
    this.listeners.push(listener);
  }

  /** Before the service subscribes to requests. */
  async onApplicationBootstrap(): Promise<void> {
    const { settings } = this;
    const shared = settings.shared
      ? await openSharedCache(this.nats, {
          signer: settings.signer,
          verifiers: settings.verifiers,
          update: settings.update,
          clock: settings.clock,
        })
      : new NoSharedCache();
    this.keeper = new CollateralKeeper(this.fetcher, shared, this.guard, {
      ...settings,
      installed: (key, collateral) => {
        this.metrics.installed(key, collateral);
        for (const listener of this.listeners) listener(key, collateral);
      },
      changed: (key, previousId, id) => this.announce(key, previousId, id),
    });
    await this.keeper.start(settings.prefetch);
  }

  /** After the responder has drained: evidence in work may still have waited for collateral. */
  async onApplicationShutdown(): Promise<void> {
    await this.keeper?.stop();
  }

  /** Throws CollateralRefused or CollateralUnavailable. */
  async obtain(key: CollateralKey): Promise<VerifiedCollateral> {
    if (this.keeper === undefined) throw new CollateralUnavailable('the service is starting');
    return this.keeper.obtain(key);
  }

  /** PCK chain of a platform, PEM. Throws CollateralUnavailable. */
  pckChain(query: PckQuery): Promise<string> {
    return this.pckChains.find(query);
  }

  report(): HeldEpoch[] {
    return (this.keeper?.held() ?? []).map(({ key, collateral, refreshAt, failure }) => ({
      tee: key.tee,
      fmspc: key.fmspc,
      ca: key.ca,
      trustRoot: key.anchor,
      simulated: collateral.epoch.trustAnchor.simulated,
      id: collateral.epoch.id,
      source: collateral.source,
      fetchedAt: collateral.fetchedAt.toISOString(),
      refreshAt: refreshAt.toISOString(),
      earliestIssue: collateral.epoch.earliestIssue.toISOString(),
      earliestExpiration: collateral.epoch.earliestExpiration.toISOString(),
      tcbEvaluationDataNumber: collateral.epoch.tcbEvaluationDataNumber,
      ...(failure === undefined ? {} : { failure }),
    }));
  }

  /** The bundle of an epoch that is in force, by its id. */
  bundle(id: string): CollateralBundle | undefined {
    return this.keeper?.held().find(({ collateral }) => collateral.epoch.id === id)?.collateral.bundle;
  }

  private announce({ tee, fmspc }: CollateralKey, previousId: string, id: string): void {
    try {
      this.nats.publish(SUBJECTS.collateralChanged, JSON.stringify({ tee, fmspc, previousId, id }));
    } catch (error) {
      this.log.warn(`a change of collateral was not announced: ${(error as Error).message}`);
    }
  }
}
