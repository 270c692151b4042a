import type { CollateralSummary, ConditionRecord, QuoteClaims } from '#contracts';
import type { MaaDecision } from '#policy';
import type { z } from 'zod';
import type { MaaTenant } from './tenants-file.js';

export type Condition = z.infer<typeof ConditionRecord>;

/**
 * What a tenant demands of every platform, before its policy is asked: the policy cannot loosen it. Microsoft's stock policy permits
 * debug enclaves and platforms of 2020; taken over unchanged it still gets neither here.
 */
export function tenantConditions(
  { tcb, debug }: MaaTenant,
  claims: QuoteClaims,
  collateral: CollateralSummary | undefined,
): Condition[] {
  const conditions: Condition[] = [
    condition(
      'tcb-status',
      tcb.accept.join(' | '),
      claims.tcbStatus,
      (tcb.accept as string[]).includes(claims.tcbStatus),
    ),
  ];
  if (!debug) conditions.push(condition('debug', 'false', String(claims.debug), !claims.debug));
  const { minEvaluationDataNumber: least, refuseAdvisories: refused } = tcb;
  if (least !== undefined) {
    const found =
      collateral &&
      Math.min(collateral.tcbEvaluationDataNumber, collateral.qeEvaluationDataNumber ?? Infinity);
    conditions.push(
      condition(
        'tcb-evaluation',
        `at least ${least}`,
        String(found ?? 'not stated'),
        found !== undefined && found >= least,
      ),
    );
  }
  if (refused.length > 0) {
    const applying = claims.advisoryIds.filter((id) => refused.includes(id));
    conditions.push(
      condition('advisories', 'none that is refused', applying.join(' ') || 'none', applying.length === 0),
    );
  }
  return conditions;
}

/** The rules of a policy that were looked at, by their line. */
export function policyConditions({ permitted, decidedAt, trace }: MaaDecision): Condition[] {
  const rules = trace.map(({ line, action, met, unmet }) =>
    condition(
      `policy line ${line} ${action}`,
      unmet?.condition ?? 'always, or met',
      unmet?.actual ?? 'met',
      action === 'deny' ? !met : met || permitted,
    ),
  );
  const none = condition('policy', 'a rule that permits', 'no rule decides', false);
  const all = decidedAt === undefined ? [...rules, none] : rules;
  // Where there are too many, those that failed are kept.
  return all.length <= 32
    ? all
    : [...all.filter(({ ok }) => !ok), ...all.filter(({ ok }) => ok)].slice(0, 32);
}

/** The failed conditions in one sentence each. */
export function explanation(conditions: readonly Condition[]): string {
  return conditions
    .filter(({ ok }) => !ok)
    .map(({ name, expected, actual }) => `${name}: expected ${expected}, is ${actual}.`)
    .join(' ')
    .slice(0, 900);
}

const condition = (name: string, expected: string, actual: string, ok: boolean): Condition => ({
  name: name.slice(0, 64),
  expected: expected.slice(0, 1_000),
  actual: actual.slice(0, 1_000),
  ok,
});
