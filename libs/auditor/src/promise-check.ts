import { type EntryPromise, PromiseVerifier, TransparencyError } from '#transparency';
import type { AuditorTrust } from './auditor-trust.js';
import { type Fraud, fraud } from './fraud.js';

/**
 * Whether this is the log's own promise. A promise of anybody else proves nothing.
 * @throws TransparencyError PROMISE_KEY_UNKNOWN, PROMISE_MALFORMED, PROMISE_INVALID
 */
export function authenticPromise(promise: EntryPromise, trust: AuditorTrust): EntryPromise {
  const leaf = Buffer.from(promise.leafHash, 'hex');
  if (leaf.length !== 32) throw new TransparencyError('PROMISE_MALFORMED', 'a leaf hash has 32 bytes');
  new PromiseVerifier(trust.keys.promiseKeys).verifyLeaf(promise, leaf);
  return promise;
}

/**
 * Whether an authentic promise is kept in a tree of `size` entries, where `leaf` is at the promised index. `pending` if it
 * may still be: a checkpoint must cover the entry within `marginMs`.
 */
export function promiseKept(
  { index, leafHash, time }: EntryPromise,
  size: number,
  leaf: Buffer | undefined,
  { now, marginMs }: { now: Date; marginMs: number },
): Fraud | 'kept' | 'pending' {
  if (index >= size) {
    if (now.getTime() - time < marginMs) return 'pending';
    const when = new Date(time).toISOString();
    return fraud('dropped', `the log promised entry ${index} at ${when} and has only ${size}`, index);
  }
  if (leaf?.toString('hex') === leafHash) return 'kept';
  return fraud('rewritten', `entry ${index} is another one than the log promised`, index);
}
