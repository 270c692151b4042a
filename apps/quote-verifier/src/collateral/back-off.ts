const CEILING_MS = 15 * 60_000;

/** Pause after the n-th failure in a row: doubles up to 15 minutes, the upper half of it random so that replicas spread. */
export function pauseAfter(failures: number, firstMs: number, random: () => number = Math.random): number {
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), CEILING_MS);
  return Math.round(full * (0.5 + random() / 2));
}

/**
 * When collateral is fetched again: after `maxAgeSeconds`, or after half of what is left of its validity if that is sooner,
 * up to a tenth earlier at random. Never sooner than `leastMs`, so that collateral about to expire is not fetched in a loop.
 */
export function refreshAfter(
  now: number,
  fetchedAt: number,
  expiresAt: number,
  maxAgeSeconds: number,
  leastMs: number,
  random: () => number = Math.random,
): number {
  const age = Math.max(0, now - fetchedAt);
  const untilOld = maxAgeSeconds * 1_000 - age;
  const untilHalf = (expiresAt - now) / 2;
  return Math.max(leastMs, Math.round(Math.min(untilOld, untilHalf) * (1 - random() / 10)));
}
