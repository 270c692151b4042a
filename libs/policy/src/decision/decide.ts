import type { AttestedClaims } from './claims.js';
import type { CompiledManifest, CompiledWorkload } from './compile.js';
import { evaluate } from './conditions.js';
import type { Condition, Decision, DecisionRequest } from './decision.js';
import type { DenialCode } from './denial-codes.js';
import { measurementKey } from './identity-rules.js';
import type { IdentityVariant } from './identity-rules.js';

/**
 * Decides whether verified claims may have what a workload of the manifest grants. Denies by default; lists every condition that was
 * evaluated with what was expected and what the evidence says. Never throws for any claims. The caller has verified
 * the evidence and its binding to the key before.
 */
export function decide(compiled: CompiledManifest, request: DecisionRequest): Decision {
  const { claims, workloadHint, now } = request;
  if (Number.isNaN(now.getTime())) {
    return deny('CLOCK_UNREADABLE', [{ name: 'clock', expected: 'a valid time', actual: null, ok: false }]);
  }
  const conditions: Condition[] = [];
  if (claims.simulated && !compiled.acceptSimulated) {
    return deny('SIMULATED_EVIDENCE', [{ name: 'simulated', expected: false, actual: true, ok: false }]);
  }
  conditions.push({
    name: 'simulated',
    expected: compiled.acceptSimulated ? 'any' : false,
    actual: claims.simulated,
    ok: true,
  });
  if (workloadHint !== undefined) {
    const named = compiled.workloads.get(workloadHint);
    const actual = workloadHint.length > 64 ? `${workloadHint.slice(0, 64)}…` : workloadHint;
    conditions.push({
      name: 'workload',
      expected: 'a workload of the manifest',
      actual,
      ok: named !== undefined,
    });
    return named ? appraise(named, request, conditions) : deny('WORKLOAD_UNKNOWN', conditions);
  }
  const candidates = candidatesFor(compiled, claims);
  const [first] = candidates;
  if (!first) {
    const actual = claims.mrenclave ?? claims.mrtd ?? null;
    conditions.push({ name: 'identity', expected: 'a measurement of the manifest', actual, ok: false });
    return deny('MEASUREMENT_NOT_ALLOWED', conditions);
  }
  if (candidates.length === 1) return appraise(first, request, conditions);
  // The rest of the identity (product, version, configuration) may tell the workloads apart.
  const matching = candidates.filter((workload) =>
    workload.variants.some((variant) => failures(variant, request) === 0),
  );
  const names = (matching.length > 0 ? matching : candidates).map((workload) => workload.name);
  const ok = matching.length <= 1;
  conditions.push({ name: 'workload', expected: 'exactly one match', actual: names.slice(0, 8), ok });
  if (!ok) return deny('WORKLOAD_AMBIGUOUS', conditions);
  return appraise(matching[0] ?? first, request, conditions);
}

function candidatesFor(compiled: CompiledManifest, claims: AttestedClaims): readonly CompiledWorkload[] {
  const { byMeasurement } = compiled;
  const at = (key: string | undefined) => (key === undefined ? undefined : byMeasurement.get(key));
  if (claims.tee === 'tdx') return at(claims.mrtd && measurementKey.mrtd(claims.mrtd)) ?? [];
  const byEnclave = at(claims.mrenclave && measurementKey.mrenclave(claims.mrenclave));
  const bySigner = at(claims.mrsigner && measurementKey.mrsigner(claims.mrsigner));
  if (!byEnclave || !bySigner) return byEnclave ?? bySigner ?? [];
  return [...new Set([...byEnclave, ...bySigner])];
}

function appraise(workload: CompiledWorkload, request: DecisionRequest, conditions: Condition[]): Decision {
  let code: DenialCode | undefined;
  const check = (rule: CompiledWorkload['rules'][number]) => {
    const condition = evaluate(rule, request);
    conditions.push(condition);
    if (!condition.ok) code ??= rule.denial;
  };
  closest(workload.variants, request).rules.forEach(check);
  workload.rules.forEach(check);
  if (code !== undefined) return deny(code, conditions, workload.name);
  return { outcome: 'granted', workload: workload.name, conditions, grants: workload.grants };
}

/** The entry of the identity that holds; if none does, the one that explains best: with the least and slightest failures. */
function closest(variants: readonly IdentityVariant[], request: DecisionRequest): IdentityVariant {
  let best = variants[0] ?? NEVER;
  if (variants.length < 2) return best;
  let fewest = Infinity;
  for (const variant of variants) {
    const failed = failures(variant, request);
    if (failed < fewest) {
      fewest = failed;
      best = variant;
    }
  }
  return best;
}

/** A workload without any identity, which no valid manifest has, matches nothing. */
const NEVER: IdentityVariant = {
  keys: [],
  rules: [
    {
      name: 'identity',
      denial: 'MEASUREMENT_NOT_ALLOWED',
      expected: 'an identity in the manifest',
      actual: () => null,
      holds: () => false,
    },
  ],
};

/** An entry of another measurement explains less than any other failure of one with the right measurement. */
const OTHER_MEASUREMENT = 100;

function failures(variant: IdentityVariant, request: DecisionRequest): number {
  let failed = 0;
  for (const rule of variant.rules)
    if (!rule.holds(request)) failed += rule.denial === 'MEASUREMENT_NOT_ALLOWED' ? OTHER_MEASUREMENT : 1;
  return failed;
}

/** What a caller may read: nothing that the code does not already say. */
const MESSAGES: Readonly<Record<DenialCode, string>> = {
  CLOCK_UNREADABLE: 'the service cannot decide now',
  SIMULATED_EVIDENCE: 'simulated evidence is not accepted',
  WORKLOAD_UNKNOWN: 'the workload is not known',
  MEASUREMENT_NOT_ALLOWED: 'the measurement is not allowed',
  WORKLOAD_AMBIGUOUS: 'name the workload',
  WORKLOAD_NOT_VALID_NOW: 'the workload is not valid now',
  ISV_PROD_ID_NOT_ALLOWED: 'the product is not allowed',
  ISV_SVN_TOO_LOW: 'the security version is too low',
  ISV_SVN_TOO_HIGH: 'the security version is too high',
  CONFIGURATION_NOT_ALLOWED: 'the configuration is not allowed',
  DEBUG_ENCLAVE: 'debug enclaves are not accepted',
  TCB_STATUS_NOT_ACCEPTED: 'the TCB status of the platform is not accepted',
  ADVISORY_NOT_ALLOWED: 'a security advisory applies to the platform',
  TCB_EVALUATION_TOO_OLD: 'the collateral is too old',
  TCB_DATE_TOO_OLD: 'the TCB level of the platform is too old',
  PLATFORM_NOT_ALLOWED: 'the platform is not allowed',
  BINDING_NOT_ALLOWED: 'the binding convention is not allowed',
  CHALLENGE_REQUIRED: 'a challenge must be bound',
};

function deny(code: DenialCode, conditions: readonly Condition[], workload?: string): Decision {
  const base = { outcome: 'denied', code, message: MESSAGES[code], conditions } as const;
  return workload === undefined ? base : { ...base, workload };
}
