import { parentPort, workerData } from 'node:worker_threads';
import { runCampaign } from './campaign.js';
import { buildTargets } from './targets.js';

/** What the main thread hands over: which target, and the memory by which it watches the progress. */
export interface WorkerTask {
  target: string;
  inputs: number;
  seed: string;
  /** Two 32-bit numbers: index of the current input, outcomes so far. */
  progress: SharedArrayBuffer;
}

const task = workerData as WorkerTask;
const progress = new Int32Array(task.progress);
const target = buildTargets(task.seed).find(({ name }) => name === task.target);
if (target === undefined) throw new Error(`no target ${task.target}`);
const result = runCampaign(target, task.inputs, task.seed, (index, outcomes) => {
  progress[0] = index + 1;
  progress[1] = outcomes;
});
parentPort?.postMessage(result);
