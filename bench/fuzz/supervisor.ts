import { Worker } from 'node:worker_threads';
import type { CampaignResult } from './campaign.js';
import type { WorkerTask } from './campaign-worker.js';

/** What a test of the supervisor replaces. */
export interface SupervisorOptions {
  worker?: URL;
  /** No input may block its thread so long; one that does never ends by itself. */
  stuckMilliseconds?: number;
  heapMegabytes?: number;
}

/**
 * Runs one campaign in a thread of its own, so that what kills or blocks the thread (memory, stack, an endless loop)
 * is counted and does not end the run.
 */
export function supervise(
  target: string,
  inputs: number,
  seed: string,
  onProgress: (done: number, outcomes: number) => void,
  options: SupervisorOptions = {},
): Promise<CampaignResult> {
  const { worker: program = new URL('./campaign-worker.js', import.meta.url), stuckMilliseconds = 20_000 } =
    options;
  const shared = new SharedArrayBuffer(8);
  const progress = new Int32Array(shared);
  const task: WorkerTask = { target, inputs, seed, progress: shared };
  return new Promise((resolve) => {
    const worker = new Worker(program, {
      workerData: task,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMegabytes ?? 512 },
    });
    let last = { done: 0, at: performance.now() };
    let settled = false;
    const settle = (result: CampaignResult): void => {
      if (settled) return;
      settled = true;
      clearInterval(timer);
      void worker.terminate();
      resolve(result);
    };
    const broken = (counts: { crashes?: number; hangs?: number }, detail: string): void => {
      const done = progress[0] ?? 0;
      settle({
        target,
        inputs: done,
        crashes: 0,
        hangs: 0,
        uncaught: 0,
        accepted: 0,
        outcomes: progress[1] ?? 0,
        slowestMilliseconds: performance.now() - last.at,
        findings: [
          { kind: counts.hangs === undefined ? 'uncaught' : 'hang', index: done, detail, input: '' },
        ],
        ...counts,
      });
    };
    const timer = setInterval(() => {
      const done = progress[0] ?? 0;
      if (done !== last.done) last = { done, at: performance.now() };
      else if (performance.now() - last.at > stuckMilliseconds)
        broken({ hangs: 1 }, 'the input never came to an end');
      onProgress(done, progress[1] ?? 0);
    }, 1000);
    worker.on('message', settle);
    worker.on('error', (error) => broken({ crashes: 1 }, String(error)));
    worker.on('exit', (code) => broken({ crashes: 1 }, `the thread ended with ${code}`));
  });
}
