import { Counter, Histogram, type Registry } from 'prom-client';

/** Attestations in the protocol of Microsoft Azure Attestation, by kind and outcome. */
export class MaaMetrics {
  private readonly count: Counter<'kind' | 'outcome'>;
  private readonly duration: Histogram;

  constructor(registry: Registry) {
    const registers = [registry];
    this.count = new Counter({
      name: 'siegel_maa_attestations_total',
      help: 'Attestation requests in the protocol of Microsoft Azure Attestation: issued, or the code of the error',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.duration = new Histogram({
      name: 'siegel_maa_attestation_seconds',
      help: 'Time from a request to its answer: verification, log, signature',
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 5],
      registers,
    });
  }

  attested(kind: string, outcome: string, milliseconds: number): void {
    this.count.inc({ kind, outcome });
    this.duration.observe(milliseconds / 1_000);
  }
}
