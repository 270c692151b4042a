import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalDeployment } from '../../apps/cli/src/up/deployment.js';
import { cpuSeconds } from '../measure/process-usage.js';
import { median, percentile, round } from '../measure/statistics.js';
import type { Load } from './main.js';
import type { Latencies, WrapperReport } from './report.js';

/** One client's whole request, prepared but for its connection; false where the answer is not the right one. */
export type Request = () => Promise<boolean>;

/** Measures a part of an operation under a name of its own. */
export type Timing = <T>(part: string, step: () => Promise<T>) => Promise<T>;
/** One operation of one of the workers, each of which has one in flight; false where the answer is not the right one. */
export type Operation = (worker: number, timing: Timing) => Promise<boolean>;

export interface Drive extends Load {
  /** Operations before those that count. */
  readonly warmUp: number;
  /** Operations due in a second; as many as it takes where absent. A latency counts from when its operation was due. */
  readonly rate?: number;
}

type Driven = Omit<WrapperReport, 'operation' | 'cryptoFloorMs' | 'cryptoFloorParts'>;

/** Each request once, whichever worker is free. */
export const eachOnce = (requests: Request[]): Operation => {
  const left = [...requests];
  return () => left.pop()!();
};

/** Runs the operation as often as the load says, so many at a time, after a warm-up that does not count. */
export async function runThrough(
  deployment: LocalDeployment,
  operation: Operation,
  { count, concurrency, warmUp, rate }: Drive,
  say: (text: string) => void,
): Promise<Driven> {
  const latencies: number[] = [];
  const parts = new Map<string, number[]>();
  const timing: Timing = async (part, step) => {
    const started = performance.now();
    const result = await step();
    const times = parts.get(part);
    if (times) times.push(performance.now() - started);
    else parts.set(part, [performance.now() - started]);
    return result;
  };
  let failed = 0;
  const run = async (operations: number): Promise<number> => {
    latencies.length = 0;
    parts.clear();
    let begun = 0;
    const start = performance.now();
    const worker = async (at: number): Promise<void> => {
      for (let index = begun++; index < operations; index = begun++) {
        const due = rate === undefined ? performance.now() : start + (index * 1_000) / rate;
        while (performance.now() < due) await sleep(Math.max(1, due - performance.now()));
        try {
          if (!(await operation(at, timing))) failed++;
        } catch (error) {
          if (failed++ === 0) say(`first failure: ${(error as Error).message}`);
        }
        latencies.push(performance.now() - due);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, (_none, at) => worker(at)));
    return (performance.now() - start) / 1_000;
  };
  say('warming up ...');
  await run(warmUp);
  say('measuring ...');
  const pids = { ...deployment.pids, client: process.pid } as Record<string, number>;
  const before = Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const seconds = await run(count);
  return {
    count,
    failed,
    concurrency,
    perSecond: round(count / seconds, 1),
    ...summary(latencies),
    ...(parts.size === 0
      ? {}
      : { parts: Object.fromEntries([...parts].map(([name, times]) => [name, summary(times)])) }),
    cpuMs: Object.fromEntries(
      before.map(([name, used]) => [name, round(((cpuSeconds(pids[name]!) - used) * 1_000) / count, 3)]),
    ),
  };
}

const summary = (latencies: number[]): Latencies => ({
  p50Ms: round(percentile(latencies, 0.5)),
  p99Ms: round(percentile(latencies, 0.99)),
});

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
