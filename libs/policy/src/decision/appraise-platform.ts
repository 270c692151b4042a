import type { AttestedClaims } from './claims.js';
import type { CompiledManifest } from './compile.js';
import { evaluate } from './conditions.js';
import type { Condition } from './decision.js';
import type { DenialCode } from './denial-codes.js';

/** The denials that new collateral can bring about, the enclave being the same. */
const BY_COLLATERAL: ReadonlySet<DenialCode> = new Set<DenialCode>([
  'TCB_STATUS_NOT_ACCEPTED',
  'ADVISORY_NOT_ALLOWED',
  'TCB_EVALUATION_TOO_OLD',
  'TCB_DATE_TOO_OLD',
]);

/** What collateral says about a platform. */
export type PlatformState = Pick<
  AttestedClaims,
  'tcbStatus' | 'advisoryIds' | 'tcbDate' | 'tcbEvaluationDataNumber'
>;

export type PlatformAppraisal =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly code: DenialCode; readonly conditions: readonly Condition[] };

/**
 * Whether a workload's `tcb` section accepts the state of a platform, whatever enclave runs on it. `undefined` if the manifest
 * has no such workload. What {@link decide} denies by the same conditions this refuses, and nothing else.
 */
export function appraisePlatform(
  compiled: CompiledManifest,
  workload: string,
  state: PlatformState,
): PlatformAppraisal | undefined {
  const rules = compiled.workloads.get(workload)?.rules;
  if (rules === undefined) return undefined;
  // The rules of the tcb section read nothing but these claims.
  const request = {
    claims: { ...state, tee: 'sgx', debug: false, simulated: false, reportData: '' } as const,
    binding: { convention: 'sha256-spki', challenge: false } as const,
    now: new Date(0),
  };
  const failed = rules.filter((rule) => BY_COLLATERAL.has(rule.denial) && !rule.holds(request));
  const [first] = failed;
  if (first === undefined) return { accepted: true };
  return { accepted: false, code: first.denial, conditions: failed.map((rule) => evaluate(rule, request)) };
}
