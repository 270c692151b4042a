import { DcapError } from '#dcap';
import { BYTE_MUTATIONS, randomInput, type Mutation } from './byte-mutations.js';
import { Random } from './random.js';
import type { Target } from './targets.js';

/** An input on which a parser failed. */
export interface Finding {
  kind: 'hang' | 'uncaught';
  index: number;
  detail: string;
  /** Base64. */
  input: string;
}

export interface CampaignResult {
  target: string;
  inputs: number;
  crashes: number;
  hangs: number;
  uncaught: number;
  /** Inputs that the target accepted, and distinct outcomes (acceptance, or code and message of the refusal). */
  accepted: number;
  outcomes: number;
  /** Time of the slowest input. */
  slowestMilliseconds: number;
  findings: Finding[];
}

/** An input may take so long; beyond that it counts as a hang. */
export const HANG_MILLISECONDS = 50;
const MAX_POOL = 600;
const MAX_INPUT_BYTES = 64 * 1024;
const MAX_FINDINGS = 10;
/** A pause of the machine or of the collector looks slow, too: a suspect is run again. */
const SUSPICIOUS_MILLISECONDS = 3;
const REPEATS = 4;

/** What came of one input: an outcome to tell apart new behaviour, or a fault. */
type Outcome = { text: string; accepted: boolean } | { fault: string };

function outcomeOf(target: Target, input: Buffer): Outcome {
  try {
    const text = target.run(input) ?? 'accepted';
    if (text === 'INTERNAL_ERROR') return { fault: 'INTERNAL_ERROR' };
    return { text, accepted: text === 'accepted' || text === 'verified' };
  } catch (error) {
    if (error instanceof DcapError && error.code !== 'INTERNAL_ERROR') {
      // Offsets and values in messages do not make an outcome new.
      return {
        text: `${error.code} ${error.message.replace(/"[^"]*"|0x[0-9a-f]+|[\d.]+/g, '#')}`,
        accepted: false,
      };
    }
    return { fault: error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${typeof error}` };
  }
}

/** Processor time of this thread so far. Parsers do not wait, so what they take beyond it is the machine's doing. */
function cpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Time of a run; where the first is suspicious, the least processor time of some more. */
function timed(target: Target, input: Buffer): { outcome: Outcome; milliseconds: number } {
  const start = performance.now();
  const outcome = outcomeOf(target, input);
  let milliseconds = performance.now() - start;
  for (let again = 0; again < REPEATS && milliseconds > SUSPICIOUS_MILLISECONDS; again++) {
    const before = cpuMilliseconds();
    outcomeOf(target, input);
    milliseconds = Math.min(milliseconds, cpuMilliseconds() - before);
  }
  return { outcome, milliseconds };
}

/**
 * Feeds a target with mutated inputs. Guided: an input whose outcome was not seen before joins the pool that later
 * inputs are made from, so that the campaign works its way past the first checks. The same seed gives the same inputs.
 */
export function runCampaign(
  target: Target,
  inputs: number,
  seed: string,
  onInput: (index: number, outcomes: number) => void,
): CampaignResult {
  const random = new Random(`${seed} ${target.name}`);
  const mutations: Mutation[] = [...target.mutations, ...target.mutations, ...BYTE_MUTATIONS];
  const pool: Buffer[] = target.seeds.map((each) => Buffer.from(each));
  const outcomes = new Map<string, number>();
  const result: CampaignResult = {
    target: target.name,
    inputs: 0,
    crashes: 0,
    hangs: 0,
    uncaught: 0,
    accepted: 0,
    outcomes: 0,
    slowestMilliseconds: 0,
    findings: [],
  };
  const find = (kind: Finding['kind'], detail: string, input: Buffer): void => {
    if (kind === 'hang') result.hangs += 1;
    else result.uncaught += 1;
    if (result.findings.length < MAX_FINDINGS) {
      result.findings.push({ kind, index: result.inputs, detail, input: input.toString('base64') });
    }
  };

  for (let index = 0; index < inputs; index++) {
    onInput(index, outcomes.size);
    const input =
      index < target.seeds.length
        ? (pool[index] as Buffer)
        : nextInput(pool, target.seeds.length, mutations, random);
    const { outcome, milliseconds } = timed(target, input);
    result.inputs += 1;
    result.slowestMilliseconds = Math.max(result.slowestMilliseconds, milliseconds);
    if (milliseconds > HANG_MILLISECONDS) find('hang', `${milliseconds.toFixed(1)} ms`, input);
    if ('fault' in outcome) {
      find('uncaught', outcome.fault, input);
      continue;
    }
    if (outcome.accepted) result.accepted += 1;
    const seen = outcomes.get(outcome.text) ?? 0;
    outcomes.set(outcome.text, seen + 1);
    // Few examples of each outcome are enough; the valid seeds always stay.
    if (seen < 3 && input.length <= MAX_INPUT_BYTES && pool.length < MAX_POOL) pool.push(input);
  }
  return { ...result, outcomes: outcomes.size };
}

function nextInput(pool: Buffer[], seeds: number, mutations: Mutation[], random: Random): Buffer {
  if (random.chance(100)) return randomInput(Buffer.alloc(0), Buffer.alloc(0), random);
  // Half of the inputs come straight from a valid one.
  const start = random.chance(2) ? (pool[random.below(seeds)] as Buffer) : random.pick(pool);
  let input = start;
  for (let count = random.pick([1, 1, 1, 2, 3]); count > 0; count--) {
    input = random.pick(mutations)(input, random.pick(pool), random);
    if (input.length > 16 * MAX_INPUT_BYTES) input = input.subarray(0, 16 * MAX_INPUT_BYTES);
  }
  return input;
}
