/** Words longer than this are not compared: no name of ours is longer. */
const MAX_LENGTH = 64;

/**
 * The candidate that the writer most likely meant, or undefined if none is close. Case, `_` and `-` do not count
 * (`mr_enclave`, `MRENCLAVE`); beyond that up to a third of the letters may differ.
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > MAX_LENGTH) return undefined;
  const plain = fold(word);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const target = fold(candidate);
    const limit = Math.max(1, Math.floor(Math.max(plain.length, target.length) / 3));
    if (Math.abs(plain.length - target.length) > limit) continue;
    const distance = editDistance(plain, target);
    if (distance <= limit && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== undefined || plain.length < 3) return best;
  // `environment` for `env`, `conf` for `configid`: the one candidate of which either is the beginning.
  const related = [...candidates].filter((candidate) => {
    const target = fold(candidate);
    return target.length >= 3 && (plain.startsWith(target) || target.startsWith(plain));
  });
  return related.length === 1 ? related[0] : undefined;
}

function fold(word: string): string {
  return word.toLowerCase().replace(/[_\-\s]/g, '');
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each. */
function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: width }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j < width; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        value = Math.min(value, beforeLast[j - 2]! + 1);
      }
      row.push(value);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
