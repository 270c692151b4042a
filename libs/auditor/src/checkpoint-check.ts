import { type VerifiedCheckpoint, TransparencyError, openCheckpoint } from '#transparency';
import type { AuditorTrust } from './auditor-trust.js';
import { type Fraud, fraud } from './fraud.js';

/** Opens a checkpoint as the log served it; what cannot be the log's is a forgery, and so is a witness's bad line. */
export function checkCheckpoint(note: string | Uint8Array, trust: AuditorTrust): VerifiedCheckpoint | Fraud {
  try {
    return openCheckpoint(note, trust.origin, trust.log, trust.witnesses);
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
