import { hash } from 'node:crypto';
import { DcapError } from './error.js';
import type { VerifiedPck } from './pck-verification.js';
import { quoteClaims } from './quote-claims.js';
import type { Quote } from './quote.js';
import type { CollateralSummary, VerificationReport } from './report.js';
import type { VerificationStep } from './steps.js';
import type { TcbEvaluation } from './tcb-evaluation.js';
import type { TrustAnchor } from './trust-anchor.js';

/** How far a verification has come. */
export interface Progress {
  quote?: Quote;
  pck?: VerifiedPck;
  tcb?: TcbEvaluation;
  collateral?: CollateralSummary;
  anchor?: TrustAnchor;
}

/** Assembles the report; a verification without an error is one that verified. */
export function buildReport(
  evidence: Uint8Array,
  progress: Progress,
  steps: readonly VerificationStep[],
  error?: unknown,
): VerificationReport {
  const { quote, pck, tcb, collateral, anchor } = progress;
  return {
    verified: error === undefined,
    ...(tcb && { tcbStatus: tcb.status }),
    advisoryIds: tcb?.advisoryIds ?? [],
    ...(quote && quoteClaims(quote)),
    ...pck?.claims,
    ...(tcb && tcbClaims(tcb)),
    evidenceSha256: ArrayBuffer.isView(evidence) ? hash('sha256', evidence, 'hex') : '',
    ...(quote && { signedRegionSha256: hash('sha256', quote.signedRegion, 'hex') }),
    ...(quote && { trailingPadding: quote.trailingPadding }),
    ...(collateral && { collateral }),
    trustRoot: anchor?.id ?? '',
    simulated: anchor?.simulated ?? false,
    steps,
    ...(error !== undefined && { error: describeError(error) }),
  };
}

function tcbClaims(tcb: TcbEvaluation): Partial<VerificationReport> {
  return {
    platformStatus: tcb.platform.status,
    qeStatus: tcb.qe.status,
    ...(tcb.module && { moduleStatus: tcb.module.status }),
    ...(tcb.relaunch && { relaunch: tcb.relaunch }),
    tcbDate: tcb.platform.tcbDate,
    oldestTcbDate: tcb.oldestTcbDate,
  };
}

/** Only the words of this library leave it; anything else is a defect and says no more than that. */
function describeError(error: unknown): NonNullable<VerificationReport['error']> {
  if (error instanceof DcapError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL_ERROR', message: 'an unexpected error ended the verification' };
}
