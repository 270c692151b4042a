/** What one wrapper's clients saw, and what it cost. */
export interface WrapperReport {
  readonly operation: string;
  readonly count: number;
  readonly failed: number;
  readonly concurrency: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU per operation by process, in milliseconds; `client` is this one, with all clients. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** The cryptography that the protocol forces on the service, by bare node:crypto calls, in milliseconds. */
  readonly cryptoFloorMs: number;
  readonly cryptoFloorParts: Readonly<Record<string, number>>;
}

export function show(name: string, report: WrapperReport): void {
  const lines = [
    `${name}: ${report.perSecond} ${report.operation}/s at ${report.concurrency} in flight (${report.count}, ${report.failed} failed)`,
    `  p50 ${report.p50Ms} ms, p99 ${report.p99Ms} ms`,
    '  CPU each (ms):',
    ...Object.entries(report.cpuMs).map(([process, ms]) => `    ${process.padEnd(16)} ${ms}`),
    `    ${'forced cryptography'.padEnd(16)} ${report.cryptoFloorMs}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
