import type { CollateralKey } from '#collateral';
import type { CollateralOpener } from '../collateral/collateral-opener.js';
import type { VerifiedCollateral } from '../collateral/collateral-fetcher.js';
import type { Attempt, Findings } from './attempt.js';

/** Turns requests into verdicts, and verifies their collateral, on the event loop or on worker threads. */
export interface VerificationEngine extends CollateralOpener {
  /** Never rejects for what a request contains. */
  attempt(body: Uint8Array, findings?: Findings): Promise<Attempt>;
  /** From now on this collateral is in force for its key. */
  adopt(key: CollateralKey, collateral: VerifiedCollateral): void;
  close(): Promise<void>;
}

/** Requests that wait for a turn or a thread; more are refused, so that memory stays bounded. */
export const MAX_WAITING = 4_096;

export const OVERLOADED: Attempt = { kind: 'error', code: 'OVERLOADED', detail: '' };
