import { cpus } from 'node:os';
import { againstPhala, cold, limit, stagedContenders } from './contenders.js';
import { realEvidence, simulateEvidence } from './evidence.js';
import { interleave, median, pairedRatio } from './rounds.js';
import type { Rates } from './rounds.js';

/** The figures of the benchmark, quotes per second on one core. */
export interface VerifyBenchResult {
  readonly knownQe: number;
  readonly knownPck: number;
  readonly newPlatform: number;
  readonly cold: number;
  /** Verifications per second of node:crypto with an imported key. */
  readonly limit: number;
  /** To the limit divided by the number of signatures that each case must verify: 1, 2, 3. */
  readonly ratioToLimit: {
    readonly knownQe: number;
    readonly knownPck: number;
    readonly newPlatform: number;
  };
  /** @phala/dcap-qvl with one real quote; absent, as the ratios to it, where the vectors are not at hand. */
  readonly phala?: number;
  readonly ratioToPhala?: { readonly warm: number; readonly cold: number };
  readonly rounds: number;
  readonly node: string;
  readonly cpu: string;
}

const WARM_UP_ROUNDS = 40;
const DISTINCT_QUOTES = 64;

export function measure(rounds: number): VerifyBenchResult {
  const evidence = simulateEvidence(DISTINCT_QUOTES);
  const real = realEvidence();
  const contenders = [
    limit(evidence),
    ...stagedContenders(evidence),
    cold(evidence),
    ...(real === undefined ? [] : againstPhala(real)),
  ];
  return describe(interleave(contenders, rounds, WARM_UP_ROUNDS), rounds, real !== undefined);
}

function describe(rates: Rates, rounds: number, withPhala: boolean): VerifyBenchResult {
  const perSecond = (name: string): number => Math.round(median(rates.get(name) ?? []));
  const ratio = (name: string, signatures: number): number =>
    rounded(signatures * pairedRatio(rates, name, 'limit'));
  return {
    knownQe: perSecond('knownQe'),
    knownPck: perSecond('knownPck'),
    newPlatform: perSecond('newPlatform'),
    cold: perSecond('cold'),
    limit: perSecond('limit'),
    ratioToLimit: {
      knownQe: ratio('knownQe', 1),
      knownPck: ratio('knownPck', 2),
      newPlatform: ratio('newPlatform', 3),
    },
    ...(withPhala && {
      phala: perSecond('phala'),
      ratioToPhala: {
        warm: rounded(pairedRatio(rates, 'realWarm', 'phala')),
        cold: rounded(pairedRatio(rates, 'realCold', 'phala')),
      },
    }),
    rounds,
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

const USAGE = 'usage: npm run bench -- verify [--json] [--rounds N]\n';

/** Prints the figures, with `--json` as one object. Exit code 2 for wrong arguments. */
export function run(argv: readonly string[]): Promise<number> {
  const at = argv.indexOf('--rounds');
  const rounds = at < 0 ? 300 : Number(argv[at + 1]);
  const known = argv.every((arg, i) => arg === '--json' || arg === '--rounds' || (at >= 0 && i === at + 1));
  if (!known || !Number.isInteger(rounds) || rounds < 1) {
    process.stderr.write(USAGE);
    return Promise.resolve(2);
  }
  const result = measure(rounds);
  process.stdout.write(argv.includes('--json') ? `${JSON.stringify(result)}\n` : table(result));
  return Promise.resolve(0);
}

function table(result: VerifyBenchResult): string {
  const { ratioToLimit, ratioToPhala } = result;
  const rows: [string, number, string][] = [
    ['raw ECDSA verify (the limit)', result.limit, ''],
    ['known quoting enclave', result.knownQe, `${ratioToLimit.knownQe} of the limit`],
    ['known PCK', result.knownPck, `${ratioToLimit.knownPck} of half the limit`],
    ['new platform', result.newPlatform, `${ratioToLimit.newPlatform} of a third of the limit`],
    ['cold, with collateral', result.cold, ratioToPhala ? `${ratioToPhala.cold} times the peer` : ''],
  ];
  if (result.phala !== undefined && ratioToPhala) {
    rows.push(['@phala/dcap-qvl', result.phala, `warm, this library is ${ratioToPhala.warm} times as fast`]);
  }
  const lines = rows.map(([what, rate, note]) =>
    `${what.padEnd(30)}${String(rate).padStart(8)}/s  ${note}`.trimEnd(),
  );
  return `${lines.join('\n')}\n${result.rounds} rounds, Node ${result.node}, ${result.cpu}, one core\n`;
}
