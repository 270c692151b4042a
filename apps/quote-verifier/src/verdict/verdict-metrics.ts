import { METRICS } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import { Counter, Histogram, type Registry } from 'prom-client';

/** Verdicts by outcome, and how long they took. */
@Injectable()
export class VerdictMetrics {
  private readonly verdicts: Counter<'code'>;
  private readonly errors: Counter<'code'>;
  private readonly duration: Histogram;

  constructor(@Inject(METRICS) registry: Registry) {
    const registers = [registry];
    this.verdicts = new Counter({
      name: 'siegel_verdicts_total',
      help: 'Signed verdicts by outcome: VERIFIED or the code of the refusal',
      labelNames: ['code'],
      registers,
    });
    this.errors = new Counter({
      name: 'siegel_verify_errors_total',
      help: 'Requests that got no verdict',
      labelNames: ['code'],
      registers,
    });
    this.duration = new Histogram({
      name: 'siegel_verdict_seconds',
      help: 'Time from a request to its verdict',
      buckets: [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5],
      registers,
    });
  }

  verdict(code: string, milliseconds: number): void {
    this.verdicts.inc({ code });
    this.duration.observe(milliseconds / 1_000);
  }

  failed(code: string): void {
    this.errors.inc({ code });
  }
}
