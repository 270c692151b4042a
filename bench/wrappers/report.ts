export interface Latencies {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What one wrapper's clients saw, and what it cost. */
export interface WrapperReport extends Latencies {
  readonly operation: string;
  readonly count: number;
  readonly failed: number;
  readonly concurrency: number;
  readonly perSecond: number;
  /** Of an operation that is several requests: each request's own. */
  readonly parts?: Readonly<Record<string, Latencies>>;
  /** CPU per operation by process, in milliseconds; `client` is this one, with all clients. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** The cryptography that the protocol forces on the service, by bare node:crypto calls, in milliseconds. */
  readonly cryptoFloorMs: number;
  readonly cryptoFloorParts: Readonly<Record<string, number>>;
}

export function show(name: string, report: WrapperReport): void {
  const latencies = ({ p50Ms, p99Ms }: Latencies): string => `p50 ${p50Ms} ms, p99 ${p99Ms} ms`;
  const lines = [
    `${name}: ${report.perSecond} ${report.operation}/s at ${report.concurrency} in flight (${report.count}, ${report.failed} failed)`,
    `  ${latencies(report)}`,
    ...Object.entries(report.parts ?? {}).map(([part, each]) => `    ${part.padEnd(16)} ${latencies(each)}`),
    '  CPU each (ms):',
    ...Object.entries(report.cpuMs).map(([process, ms]) => `    ${process.padEnd(16)} ${ms}`),
    `    ${'forced cryptography'.padEnd(16)} ${report.cryptoFloorMs}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
