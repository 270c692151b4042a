import { type CollateralKey, keyText } from '#collateral';
import { METRICS } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { VerifiedCollateral } from './collateral-fetcher.js';

/** How the sources answer and when what is held expires. */
@Injectable()
export class CollateralMetrics {
  private readonly fetches: Counter<'source' | 'outcome'>;
  private readonly expiration: Gauge<'key'>;
  private readonly evaluation: Gauge<'key'>;

  constructor(@Inject(METRICS) registry: Registry) {
    const registers = [registry];
    this.fetches = new Counter({
      name: 'siegel_collateral_fetches_total',
      help: 'Fetches of collateral by source and outcome',
      labelNames: ['source', 'outcome'],
      registers,
    });
    this.expiration = new Gauge({
      name: 'siegel_collateral_expiration_seconds',
      help: 'Unix time at which held collateral expires',
      labelNames: ['key'],
      registers,
    });
    this.evaluation = new Gauge({
      name: 'siegel_collateral_tcb_evaluation_number',
      help: 'tcbEvaluationDataNumber of held collateral',
      labelNames: ['key'],
      registers,
    });
  }

  fetched(source: string, outcome: string): void {
    this.fetches.inc({ source, outcome });
  }

  installed(key: CollateralKey, { epoch }: VerifiedCollateral): void {
    this.expiration.set({ key: keyText(key) }, Math.floor(epoch.earliestExpiration.getTime() / 1_000));
    this.evaluation.set({ key: keyText(key) }, epoch.tcbEvaluationDataNumber);
  }
}
