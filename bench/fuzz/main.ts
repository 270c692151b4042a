import { parseArgs } from 'node:util';
import type { CampaignResult } from './campaign.js';
import { supervise } from './supervisor.js';
import { buildTargets } from './targets.js';

const USAGE = `usage: npm run fuzz -- [--inputs N] [--seed TEXT] [--target NAME]... [--json]
  --inputs N     inputs for each parser (default 100000; whole verifications get a tenth)
  --seed TEXT    the same seed makes the same inputs (default "siegel")
  --target NAME  only this parser; may be repeated
  --json         one JSON object on standard output
Exits 1 if any input crashed a parser, took over 50 ms, or raised an error that is not the library's own.
`;

interface Settings {
  inputs: number;
  seed: string;
  targets: string[];
  json: boolean;
}

function settingsOf(argv: string[]): Settings | string {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        inputs: { type: 'string', default: '100000' },
        seed: { type: 'string', default: 'siegel' },
        target: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
      },
    });
    if (!/^[1-9]\d{0,8}$/.test(values.inputs)) return `--inputs ${values.inputs} is not a number of inputs`;
    return { inputs: Number(values.inputs), seed: values.seed, targets: values.target, json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The program `npm run fuzz`. Returns its exit code. */
export async function run(argv: string[]): Promise<number> {
  const settings = settingsOf(argv);
  if (typeof settings === 'string') {
    process.stderr.write(`${settings}\n${USAGE}`);
    return 2;
  }
  const all = buildTargets(settings.seed);
  const unknown = settings.targets.find((name) => !all.some((target) => target.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`unknown target "${unknown}"; one of: ${all.map(({ name }) => name).join(', ')}\n`);
    return 2;
  }
  const chosen = all.filter(({ name }) => settings.targets.length === 0 || settings.targets.includes(name));
  const results: CampaignResult[] = [];
  for (const { name, share } of chosen) {
    const inputs = Math.max(1, Math.round(settings.inputs * share));
    const result = await supervise(name, inputs, settings.seed, progressLine(name, inputs));
    results.push(result);
    process.stderr.write(`${describe(result)}\n`);
    for (const finding of result.findings) {
      process.stderr.write(
        `  ${finding.kind} at input ${finding.index}: ${finding.detail}\n  base64: ${finding.input}\n`,
      );
    }
  }
  const sum = (field: 'inputs' | 'crashes' | 'hangs' | 'uncaught'): number =>
    results.reduce((total, each) => total + each[field], 0);
  const summary = {
    inputs: sum('inputs'),
    crashes: sum('crashes'),
    hangs: sum('hangs'),
    uncaught: sum('uncaught'),
  };
  process.stdout.write(
    settings.json
      ? `${JSON.stringify({ ...summary, seed: settings.seed, parsers: results })}\n`
      : `${summary.inputs} inputs: ${summary.crashes} crashes, ${summary.hangs} hangs, ${summary.uncaught} uncaught errors\n`,
  );
  return summary.crashes + summary.hangs + summary.uncaught === 0 ? 0 : 1;
}

function describe(result: CampaignResult): string {
  return (
    `${result.target}: ${result.inputs} inputs, ${result.outcomes} outcomes, ${result.accepted} accepted, ` +
    `slowest ${result.slowestMilliseconds.toFixed(1)} ms, ${result.crashes} crashes, ${result.hangs} hangs, ${result.uncaught} uncaught`
  );
}

/** At a terminal the line is rewritten each second; in a log it appears every ten seconds. */
function progressLine(name: string, inputs: number): (done: number, outcomes: number) => void {
  let ticks = 0;
  return (done, outcomes) => {
    ticks += 1;
    const line = `${name}: ${done}/${inputs}, ${outcomes} outcomes`;
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}\r`);
    else if (ticks % 10 === 0) process.stderr.write(`${line}\n`);
  };
}
