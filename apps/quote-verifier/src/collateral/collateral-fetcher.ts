import {
  type CollateralKey,
  type CollateralSource,
  keyText,
  type PckQuery,
  SourceError,
  type UpdateChannel,
} from '#collateral';
import { DcapError, type CollateralBundle } from '#dcap';
import { Logger } from '@nestjs/common';
import { pauseAfter } from './back-off.js';
import {
  CollateralRefused,
  CollateralRollback,
  CollateralUnavailable,
  isRefusalOfCollateral,
} from './collateral-failure.js';
import type { CollateralMetrics } from './collateral-metrics.js';
import type { CollateralOpener, EpochFacts } from './collateral-opener.js';
import type { RollbackGuard } from './rollback-guard.js';

/** Collateral that verified. */
export interface VerifiedCollateral {
  readonly bundle: CollateralBundle;
  readonly epoch: EpochFacts;
  readonly source: string;
  /** It is of a source of this replica alone. */
  readonly local: boolean;
  readonly fetchedAt: Date;
}

export interface FetcherOptions {
  readonly update: UpdateChannel;
  readonly retryMs: number;
  readonly clock: () => Date;
}

/** Asks the sources in their order and gives the first collateral that verifies for the key, is in force and not a step back. */
export class CollateralFetcher {
  private readonly log = new Logger(CollateralFetcher.name);
  /** Sources that asked to be left alone, until when (ms). */
  private readonly paused = new Map<string, number>();

  constructor(
    private readonly sources: readonly CollateralSource[],
    private readonly opener: CollateralOpener,
    private readonly guard: RollbackGuard,
    private readonly metrics: CollateralMetrics,
    private readonly options: FetcherOptions,
  ) {}

  /** Throws CollateralRefused or CollateralUnavailable. */
  async fetch(key: CollateralKey, signal: AbortSignal): Promise<VerifiedCollateral> {
    const failures: string[] = [];
    let refusal: CollateralRefused | undefined;
    let withinGrace: VerifiedCollateral | undefined;
    for (const source of this.sources) {
      try {
        const found = await this.fetchFrom(source, key, signal);
        this.metrics.fetched(source.name, 'ok');
        if (found.epoch.earliestExpiration >= this.options.clock()) return found;
        // It counts only by the grace; a later source may have what is in force.
        withinGrace ??= found;
      } catch (error) {
        const outcome = this.noteFailure(source, error);
        this.metrics.fetched(source.name, outcome);
        failures.push((error as Error).message);
        if (error instanceof CollateralRefused) refusal ??= error;
        if (signal.aborted) break;
      }
    }
    if (withinGrace !== undefined) return withinGrace;
    if (refusal !== undefined) throw refusal;
    throw new CollateralUnavailable(failures.join('; '));
  }

  /** Verifies a bundle for a key, whoever it comes from. Rejects with DcapError, CollateralRefused or CollateralRollback. */
  async verify(
    key: CollateralKey,
    bundle: CollateralBundle,
    source: Pick<CollateralSource, 'name' | 'local'>,
    fetchedAt: Date,
  ): Promise<VerifiedCollateral> {
    let epoch: EpochFacts;
    try {
      epoch = await this.opener.open(key, bundle, this.options.clock());
    } catch (error) {
      if (error instanceof DcapError && isRefusalOfCollateral(error.code))
        throw new CollateralRefused(error.code, error.message, error.step);
      throw error;
    }
    if (epoch.tee !== key.tee || epoch.fmspc !== key.fmspc || epoch.ca !== key.ca)
      throw new DcapError(
        'FMSPC_MISMATCH',
        `the collateral is for ${epoch.tee} ${epoch.fmspc} ${epoch.ca}, not for ${key.tee} ${key.fmspc} ${key.ca}`,
      );
    this.guard.check(keyText(key), epoch.summary, bundle);
    return { bundle, epoch, source: source.name, local: source.local === true, fetchedAt };
  }

  /** The PCK chain of a platform from the first source that knows it. Throws CollateralUnavailable. */
  async pckChain(query: PckQuery, signal: AbortSignal): Promise<string> {
    const failures: string[] = [];
    for (const source of this.sources) {
      if (source.pckChain === undefined) continue;
      try {
        this.checkPause(source);
        return await source.pckChain(query, signal);
      } catch (error) {
        this.noteFailure(source, error);
        failures.push((error as Error).message);
      }
    }
    throw new CollateralUnavailable(
      failures.length === 0 ? 'no source looks PCK certificates up' : failures.join('; '),
    );
  }

  /** Calls when a source says that what it has may have changed. */
  onSourceChange(listener: () => void): void {
    for (const source of this.sources) source.onChange?.(listener);
  }

  async close(): Promise<void> {
    await Promise.all(this.sources.map((source) => source.close()));
  }

  private async fetchFrom(
    source: CollateralSource,
    key: CollateralKey,
    signal: AbortSignal,
  ): Promise<VerifiedCollateral> {
    this.checkPause(source);
    const bundles = await source.fetch(key, this.options.update, signal);
    let failure: unknown;
    for (const bundle of bundles) {
      try {
        return await this.verify(key, bundle, source, this.options.clock());
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure instanceof CollateralRefused) throw failure;
    const { message } = failure as Error;
    if (failure instanceof DcapError)
      throw new SourceError(source.name, 'malformed', `${failure.code}: ${message}`, { cause: failure });
    if (failure instanceof CollateralRollback)
      throw new SourceError(source.name, 'refused', `rolled back: ${message}`, { cause: failure });
    throw failure;
  }

  private checkPause(source: CollateralSource): void {
    const until = this.paused.get(source.name);
    if (until !== undefined && until > this.options.clock().getTime())
      throw new SourceError(source.name, 'throttled', 'asked to be left alone for the moment');
  }

  private noteFailure(source: CollateralSource, error: unknown): string {
    if (error instanceof CollateralRefused) return 'refused';
    if (!(error instanceof SourceError)) {
      this.log.error({ msg: `collateral source ${source.name} failed`, err: error });
      return 'error';
    }
    this.log.warn(error.message);
    const pauseMs =
      error.retryAfterSeconds !== undefined
        ? error.retryAfterSeconds * 1_000
        : error.kind === 'throttled' && !this.isPaused(source)
          ? pauseAfter(1, this.options.retryMs)
          : undefined;
    if (pauseMs !== undefined) this.paused.set(source.name, this.options.clock().getTime() + pauseMs);
    return error.kind;
  }

  private isPaused(source: CollateralSource): boolean {
    return (this.paused.get(source.name) ?? 0) > this.options.clock().getTime();
  }
}
