import type { CollateralBundle } from './collateral-bundle.js';
import { checkCollateral, CollateralEpoch } from './collateral-epoch.js';
import type { EpochOptions } from './collateral-epoch.js';
import { verifyOnce } from './quote-verifier.js';
import { buildReport } from './report-builder.js';
import type { Progress } from './report-builder.js';
import type { VerificationReport } from './report.js';
import { StepLog } from './step-log.js';
import { INTEL_SGX_ROOT } from './trust-anchor.js';
import type { TrustAnchor } from './trust-anchor.js';
import { TrustStore } from './trust-store.js';
import { clockOf } from './validity.js';
import { openEvidence, openPck } from './verification-stages.js';
import type { EvidenceOptions } from './verification-stages.js';

/** Options of a one-shot verification. */
export interface VerifyOptions extends Omit<EpochOptions, 'trustAnchors'>, EvidenceOptions {
  /** Default Intel's production root alone. */
  readonly trustAnchors?: readonly TrustAnchor[];
}

/**
 * Verifies one quote with one bundle, in the order of Intel's verifier: quote, PCK chain, collateral (its completeness first), revocation,
 * quoting enclave, quote signature, TCB. Never throws: the report says what failed.
 */
export function verifyQuote(
  evidence: Uint8Array,
  bundle: CollateralBundle,
  options: VerifyOptions,
): VerificationReport {
  const log = new StepLog();
  const progress: Progress = {};
  try {
    const now = log.run('clock', () => clockOf(options.at));
    const trustAnchors = options.trustAnchors ?? [INTEL_SGX_ROOT];
    const quote = openEvidence(evidence, options, log);
    progress.quote = quote;
    const parts = log.run('collateral-format', () => checkCollateral(bundle));
    const store = new TrustStore(trustAnchors);
    const pck = openPck(quote, store, now, options, log);
    progress.pck = pck;
    progress.anchor = pck.trusted.anchor;
    const epoch = CollateralEpoch.verify(parts, options, now, store, log);
    progress.collateral = epoch.summary;
    verifyOnce(quote, pck, epoch, log, progress);
    return buildReport(evidence, progress, log.steps);
  } catch (error) {
    return buildReport(evidence, progress, log.steps, error);
  }
}
