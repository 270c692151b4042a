import type { DcapError, VerificationReport } from '#dcap';

/**
 * The report of a verification whose bundle could not be read: if nothing before the collateral was refused, the reason
 * is what the reader of the bundle said.
 */
export function withUnreadableBundle(
  report: VerificationReport,
  { code, message }: DcapError,
): VerificationReport {
  const failed = report.steps.at(-1);
  if (failed?.name !== 'collateral-format' || failed.ok) return report;
  return {
    ...report,
    steps: [...report.steps.slice(0, -1), { ...failed, detail: message }],
    error: { code, message },
  };
}
