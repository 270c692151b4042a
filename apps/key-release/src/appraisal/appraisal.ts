import type { Appraisal, AppraisalUse, CollateralSummary, VerdictClaims } from '#contracts';
import type { PlatformState } from '#policy';

/** The steps of a verification that judge the evidence. A failure of any other is about the collateral or the service. */
const STEPS_OF_EVIDENCE: ReadonlySet<string> = new Set([
  'pck-chain',
  'pck-certificate',
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
]);

/**
 * What a verdict says of the platform. `undefined` if it says nothing: collateral had expired, say. Evidence that once verified and is
 * refused now counts as `Revoked`, which no policy accepts.
 */
export function appraisalOf(verdict: VerdictClaims): Appraisal | undefined {
  const { claims, collateral, error } = verdict;
  if (collateral === undefined) return undefined;
  const at = new Date(verdict.iat * 1_000).toISOString();
  if (verdict.verified) {
    if (claims === undefined) return undefined;
    const { tcbStatus, advisoryIds, tcbDate, platformStatus, qeStatus, moduleStatus } = claims;
    const optional = { tcbDate, platformStatus, qeStatus, moduleStatus };
    return { at, tcbStatus, advisoryIds, ...defined(optional), collateral };
  }
  if (error?.step === undefined || !STEPS_OF_EVIDENCE.has(error.step)) return undefined;
  return {
    at,
    tcbStatus: 'Revoked',
    advisoryIds: claims?.advisoryIds ?? [],
    collateral,
    refusal: error.code.slice(0, 64),
  };
}

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };
const defined = <T extends object>(members: T): Defined<T> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Defined<T>;

/** The claims of an appraisal that policy reads. */
export const platformState = ({ tcbStatus, advisoryIds, tcbDate, collateral }: Appraisal): PlatformState => ({
  tcbStatus,
  advisoryIds,
  ...(tcbDate === undefined ? {} : { tcbDate }),
  tcbEvaluationDataNumber: collateral.tcbEvaluationDataNumber,
});

/** Whether two appraisals say the same of the platform, by whatever collateral. */
export function sameFinding(a: Appraisal, b: Appraisal): boolean {
  return (
    a.tcbStatus === b.tcbStatus &&
    a.tcbDate === b.tcbDate &&
    a.advisoryIds.length === b.advisoryIds.length &&
    a.advisoryIds.every((id, i) => id === b.advisoryIds[i])
  );
}

/**
 * Whether `next` takes the place of `known`. Verifiers behind one queue may hold collateral of different age for a while, and a broker
 * may show an old record again: newer collateral wins, by the same collateral the later verdict. One that is `maxAgeMs` later wins
 * whatever it rests on, so that a deployment that went back on purpose is not held by what it left.
 */
export function supersedes(next: Appraisal, known: Appraisal, maxAgeMs: number): boolean {
  const later = Date.parse(next.at) - Date.parse(known.at);
  if (later > maxAgeMs) return true;
  if (later < -maxAgeMs) return false;
  const newer = newerThan(next.collateral, known.collateral);
  return newer === 0 ? later > 0 : newer > 0;
}

/** Above 0 if `a` is newer than `b`. */
function newerThan(a: CollateralSummary, b: CollateralSummary): number {
  return (
    a.tcbEvaluationDataNumber - b.tcbEvaluationDataNumber ||
    (a.qeEvaluationDataNumber ?? 0) - (b.qeEvaluationDataNumber ?? 0) ||
    compareText(a.tcbInfoIssueDate, b.tcbInfoIssueDate) ||
    compareText(a.earliestIssue, b.earliestIssue)
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const useName = (tenant: string, workload: string): string => `${tenant}/${workload}`;

/** Both lists in one: the later end, the later revocation. */
export function mergeUses(known: readonly AppraisalUse[], further: readonly AppraisalUse[]): AppraisalUse[] {
  const uses = new Map<string, AppraisalUse>();
  for (const use of [...known, ...further]) {
    const name = useName(use.tenant, use.workload);
    const other = uses.get(name);
    if (other === undefined) {
      uses.set(name, use);
      continue;
    }
    const revokedAt = [other.revokedAt, use.revokedAt]
      .filter((at) => at !== undefined)
      .sort()
      .at(-1);
    uses.set(name, {
      ...use,
      until: other.until > use.until ? other.until : use.until,
      ...(revokedAt === undefined ? {} : { revokedAt }),
    });
  }
  return [...uses.values()];
}
