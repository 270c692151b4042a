// Loaded into a service with --import: how long its event loop works without a pause, in CPU time of the main thread. A thread that
// has work and gets no core is not blocked by its own doing, so clocks of the wall say too much on a busy machine.
import { performance } from 'node:perf_hooks';
import { writeFileSync } from 'node:fs';

const report = process.env['SIEGEL_TURN_REPORT'];
const service = process.env['SIEGEL_TURN_SERVICE'] ?? '';

export interface TurnReport {
  /** Intervals that were looked at. */
  readonly intervals: number;
  /** CPU that the main thread used without letting a timer of 1 ms through, in milliseconds: an upper bound of one turn. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly overFiveMs: number;
  /** Share of the time in which the main thread worked. */
  readonly utilization: number;
}

if (report !== undefined && (process.argv[1] ?? '').includes(service)) {
  let turns: number[] | undefined;
  let last = 0;
  let utilization = performance.eventLoopUtilization();
  const cpu = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  setInterval(() => {
    const now = cpu();
    turns?.push(now - last);
    last = now;
  }, 1).unref();
  // First signal: start; second: write the report.
  process.on('SIGUSR2', () => {
    if (turns === undefined) {
      turns = [];
      last = cpu();
      utilization = performance.eventLoopUtilization();
      return;
    }
    const sorted = turns.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    const found: TurnReport = {
      intervals: sorted.length,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      p999Ms: at(0.999),
      maxMs: at(1),
      overFiveMs: sorted.filter((ms) => ms > 5).length,
      utilization: performance.eventLoopUtilization(utilization).utilization,
    };
    writeFileSync(report, JSON.stringify(found));
    turns = undefined;
  });
}
