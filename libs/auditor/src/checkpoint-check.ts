import { type VerifiedCheckpoint, TransparencyError, openCheckpoint } from '#transparency';
import type { AuditorTrust } from './auditor-trust.js';
import { type Fraud, fraud } from './fraud.js';

/** Opens a checkpoint as the log served it; what cannot be the log's is a forgery, and so is a witness's bad line. */
export function checkCheckpoint(note: string | Uint8Array, trust: AuditorTrust): VerifiedCheckpoint | Fraud {
  try {
    const { keys, witnesses } = trust;
    const checkpoint = openCheckpoint(note, trust.origin, keys.verifiers, witnesses);
    if (keys.maySign(checkpoint.signatures.map(({ keyId }) => keyId))) return checkpoint;
    return fraud(
      'forged',
      `the checkpoint is signed by a key of ${trust.origin} that has a successor, and not by that`,
    );
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    return fraud('forged', `the checkpoint is not one of ${trust.origin}: ${error.message}`);
  }
}

/**
 * The witnesses that have not cosigned. A log that shows some people another history than others cannot get
 * their signature for both, so a checkpoint without them may be a fork.
 */
export function unwitnessed(checkpoint: VerifiedCheckpoint, trust: AuditorTrust): string[] {
  return trust.witnesses.map(({ name }) => name).filter((name) => !checkpoint.witnesses.includes(name));
}
