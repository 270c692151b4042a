import { cpuPerCall } from './cpu-clock.js';
import type { CpuFigure } from './cpu-clock.js';
import { benchCases } from './cases.js';

/** Budget of a leaf beside its one signature, in microseconds of CPU. */
const LEAF_BUDGET_US = 100;

/** `npm run bench -- pki [--json]`: CPU per operation of keys, certificates and tokens, beside the alternatives. */
export async function run(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const results: ({ group: string; name: string } & CpuFigure)[] = [];
  let group = '';
  for (const { call, operations, ...named } of await benchCases()) {
    const figure = await cpuPerCall(operations, call);
    results.push({ ...named, ...figure });
    if (json) continue;
    if (named.group !== group)
      process.stdout.write(`\n${named.group} (microseconds of CPU: median, min-max)\n`);
    group = named.group;
    const range = `(${figure.minUs}-${figure.maxUs})`;
    process.stdout.write(`  ${named.name.padEnd(34)} ${String(figure.medianUs).padStart(8)}  ${range}\n`);
  }
  const median = (inGroup: string, name: string): number =>
    results.find((result) => result.group === inGroup && result.name === name)?.medianUs ?? NaN;
  const leafBesideSignatureUs =
    Math.round(
      (median('leaf certificate', 'Siegel, key already accepted') -
        median('raw node:crypto', 'ECDSA P-256 sign, DER')) *
        10,
    ) / 10;
  const withinBudget = leafBesideSignatureUs < LEAF_BUDGET_US;
  if (json)
    process.stdout.write(
      `${JSON.stringify({ results, leafBesideSignatureUs, leafBudgetUs: LEAF_BUDGET_US, withinBudget })}\n`,
    );
  else
    process.stdout.write(
      `\na leaf beside its signature: ${leafBesideSignatureUs} us (budget ${LEAF_BUDGET_US} us)\n`,
    );
  return withinBudget ? 0 : 1;
}
