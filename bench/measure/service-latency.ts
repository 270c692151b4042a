import { round } from './statistics.js';

/** Observations at or below each upper bound, in seconds, as Prometheus counts them; the last bound is infinite. */
type Buckets = ReadonlyMap<number, number>;

/** Middle and tail of what a service measured of itself, in milliseconds. */
export interface ServiceLatency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Reads one histogram without further labels from a service's `/metrics`. Source: Prometheus, text-based exposition format. */
export async function scrapeHistogram(url: string, name: string): Promise<Buckets> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const buckets = new Map<number, number>();
  for (const [, bound, count] of text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, 'gm')))
    buckets.set(bound === '+Inf' ? Infinity : Number(bound), Number(count));
  if (buckets.size === 0) throw new Error(`${url}/metrics has no histogram ${name}`);
  return buckets;
}

/** What was observed between two readings. Within a bucket the observations are taken to be spread evenly. */
export function latencyBetween(before: Buckets, after: Buckets): ServiceLatency {
  const counts = [...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)] as const);
  return { p50Ms: quantile(counts, 0.5), p99Ms: quantile(counts, 0.99) };
}

function quantile(counts: readonly (readonly [number, number])[], part: number): number {
  const wanted = part * (counts.at(-1)?.[1] ?? 0);
  let [lower, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (count >= wanted && count > below) {
      // Beyond the last finite bound nothing more is known.
      const upper = Number.isFinite(bound) ? bound : lower;
      return round((lower + ((upper - lower) * (wanted - below)) / (count - below)) * 1_000, 2);
    }
    [lower, below] = [bound, count];
  }
  return 0;
}
