/**
 * The named checks of a verification, in the order in which they run (with an epoch that is open already, its checks
 * come first). A report lists those that ran; the first that fails ends the verification.
 */
export const VERIFICATION_STEPS = [
  'clock',
  'quote-format',
  'collateral-format',
  'pck-chain',
  'pck-certificate',
  'collateral-chains',
  'root-crl',
  'pck-crl',
  'tcb-info',
  'qe-identity',
  'tcb-evaluation-number',
  'collateral-time',
  'pck-revocation',
  'collateral-match',
  'qe-report-signature',
  'qe-report-data',
  'qe-identity-match',
  'quote-signature',
  'tdx-module',
  'qe-tcb-level',
  'tcb-level',
  'tcb-status',
] as const;

/** One of {@link VERIFICATION_STEPS}. */
export type VerificationStepName = (typeof VERIFICATION_STEPS)[number];

/** The outcome of one check. */
export interface VerificationStep {
  readonly name: VerificationStepName;
  readonly ok: boolean;
  /** What was compared, or why it failed. */
  readonly detail?: string;
}
