import type { LocalDeployment } from '../../apps/cli/src/up/deployment.js';
import { cpuSeconds } from '../measure/process-usage.js';
import { median, percentile, round } from '../measure/statistics.js';
import type { Load } from './main.js';
import type { WrapperReport } from './report.js';

/** One client's whole request, prepared but for its connection; false where the answer is not the right one. */
export type Request = () => Promise<boolean>;

/** Runs the requests, so many at a time, after a warm-up that does not count. */
export async function runThrough(
  deployment: LocalDeployment,
  requests: Request[],
  warmUp: number,
  { concurrency }: Load,
  say: (text: string) => void,
): Promise<Omit<WrapperReport, 'operation' | 'cryptoFloorMs' | 'cryptoFloorParts'>> {
  const latencies: number[] = [];
  let failed = 0;
  let left = warmUp;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const request = requests.pop()!;
      const started = performance.now();
      try {
        if (!(await request())) failed++;
      } catch (error) {
        if (failed++ === 0) say(`first failure: ${(error as Error).message}`);
      }
      latencies.push(performance.now() - started);
    }
  };
  const all = (): Promise<unknown> => Promise.all(Array.from({ length: concurrency }, worker));
  say('warming up ...');
  await all();
  latencies.length = 0;
  left = requests.length;
  const count = left;
  const pids = { ...deployment.pids, client: process.pid } as Record<string, number>;
  const before = Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const started = performance.now();
  await all();
  const seconds = (performance.now() - started) / 1_000;
  return {
    count,
    failed,
    concurrency,
    perSecond: round(count / seconds, 1),
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
    cpuMs: Object.fromEntries(
      before.map(([name, used]) => [name, round(((cpuSeconds(pids[name]!) - used) * 1_000) / count, 3)]),
    ),
  };
}

/** The median time of each step, and their sum, in milliseconds. */
export function medianOf(
  steps: Readonly<Record<string, () => unknown>>,
  rounds = 100,
): Pick<WrapperReport, 'cryptoFloorMs' | 'cryptoFloorParts'> {
  const parts = Object.entries(steps).map(([name, step]) => {
    for (let warm = 0; warm < 10; warm++) step();
    const samples = Array.from({ length: rounds }, () => {
      const started = process.hrtime.bigint();
      step();
      return Number(process.hrtime.bigint() - started) / 1e6;
    });
    return [name, round(median(samples), 4)] as const;
  });
  const sum = parts.reduce((total, [, part]) => total + part, 0);
  return { cryptoFloorMs: round(sum, 3), cryptoFloorParts: Object.fromEntries(parts) };
}
