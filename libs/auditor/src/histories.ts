import { type Fraud, fraud } from './fraud.js';

/**
 * Says how the history that was seen became the one that is shown now: both are leaf hashes of the same positions, from
 * `start` on; the history shown now may be longer.
 */
export function compareHistories(seen: readonly Buffer[], shown: readonly Buffer[], start: number): Fraud {
  const at = seen.findIndex((leaf, i) => !shown[i] || !leaf.equals(shown[i]));
  if (at < 0) {
    return fraud('rewritten', `an entry before ${start} is another one than it was`);
  }
  const index = start + at;
  const [was, next, now] = [seen[at]!, seen[at + 1], shown[at]];
  const moved = shown.slice(at).some((leaf) => leaf.equals(was));
  if (moved) return fraud('rewritten', `entry ${index} is in another place than it was`, index);
  if (now === undefined)
    return fraud('rolled-back', `the log ends before entry ${index}, which it had`, index);
  if (next && now.equals(next)) return fraud('dropped', `entry ${index} was taken out`, index);
  const goesOn = seen.slice(at + 1).some((leaf, i) => shown[at + 1 + i]?.equals(leaf));
  return goesOn
    ? fraud('rewritten', `entry ${index} is another one than it was`, index)
    : fraud('forked', `from entry ${index} on there are two histories`, index);
}
