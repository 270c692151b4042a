import type { Contender } from './contenders.js';

/** Operations per second of each contender, one figure per round. */
export type Rates = ReadonlyMap<string, readonly number[]>;

/**
 * Runs all contenders in every round, one after the other and in a direction that alternates, so that what else the
 * machine does falls on all of them alike and figures of one round can be compared.
 */
export function interleave(contenders: readonly Contender[], rounds: number, warmUp: number): Rates {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -warmUp; round < rounds; round++) {
    const order = round % 2 === 0 ? contenders : [...contenders].reverse();
    for (const contender of order) {
      contender.prepare();
      const start = process.hrtime.bigint();
      contender.run(round + warmUp);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      if (round >= 0) rates.get(contender.name)?.push(contender.count / seconds);
    }
  }
  return rates;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** The median of the ratios within each round. */
export function pairedRatio(rates: Rates, over: string, under: string): number {
  const below = rates.get(under) ?? [];
  return median((rates.get(over) ?? []).map((rate, round) => rate / (below[round] ?? NaN)));
}
