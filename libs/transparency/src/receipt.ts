import type { VerifiedCheckpoint } from './checkpoint.js';
import { TransparencyError } from './error.js';
import { type EntryPromise, type PromiseKey, PromiseVerifier } from './promise.js';
import { type ProofTrust, verifyTlogProof } from './tlog-proof.js';

/** What an enclave, or anyone, trusts of a log: its checkpoint key and, to hold it to a promise, its promise key. */
export interface ReceiptTrust extends ProofTrust {
  promiseKey: PromiseKey | readonly PromiseKey[];
}

/**
 * Checks a receipt offline: the entry with this leaf hash is in the log, at the index that was promised if there is a
 * promise.
 * @throws TransparencyError PROMISE_BROKEN if both signatures are the log's and they contradict each other, which
 * proves fraud; otherwise the codes of `verifyTlogProof` and `PromiseVerifier`
 */
export function checkReceipt(
  receipt: string,
  about: { leaf: Uint8Array; promise?: EntryPromise | undefined },
  trust: ReceiptTrust,
): { index: number; checkpoint: VerifiedCheckpoint } {
  const { leaf, promise } = about;
  if (promise) new PromiseVerifier([trust.promiseKey].flat()).verifyLeaf(promise, leaf);
  const verified = verifyTlogProof(receipt, leaf, trust);
  if (promise && promise.index !== verified.index) {
    throw new TransparencyError(
      'PROMISE_BROKEN',
      `the log promised index ${promise.index} and put the entry at ${verified.index}`,
    );
  }
  return verified;
}
