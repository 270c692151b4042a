import { METRICS } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Gauge, type Registry } from 'prom-client';

/** `unchanged`, `changed`: a verdict was had. `none`: it said nothing of the platform. `failed`: there was none. */
export type ReappraisalOutcome = 'unchanged' | 'changed' | 'none' | 'failed';

@Injectable()
export class AppraisalMetrics {
  private readonly tracked: Gauge;
  private readonly reappraisals: Counter<'outcome'>;
  private readonly degraded: Counter<'revoked'>;

  constructor(@Inject(METRICS) registry: Registry) {
    const registers = [registry];
    this.tracked = new Gauge({
      name: 'siegel_appraisal_platforms',
      help: 'Platforms that live sessions rest on',
      registers,
    });
    this.reappraisals = new Counter({
      name: 'siegel_reappraisals_total',
      help: 'Platforms judged again by this replica, by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.degraded = new Counter({
      name: 'siegel_sessions_degraded_total',
      help: 'Workloads on platforms that fell below their policy, and whether their sessions were revoked',
      labelNames: ['revoked'],
      registers,
    });
  }

  platforms(count: number): void {
    this.tracked.set(count);
  }

  reappraised(outcome: ReappraisalOutcome): void {
    this.reappraisals.inc({ outcome });
  }

  fellBelow(revoked: boolean): void {
    this.degraded.inc({ revoked: String(revoked) });
  }
}
