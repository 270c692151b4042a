import {
  MaaPolicyError,
  type MaaAction,
  type MaaClaim,
  type MaaCondition,
  type MaaOperand,
  type MaaPolicy,
  type MaaProperty,
  type MaaRule,
  type MaaTest,
  type MaaValue,
} from './syntax.js';

/** What became of one authorization rule; those after the deciding one are not looked at. */
export interface MaaRuleTrace {
  readonly line: number;
  readonly action: 'permit' | 'deny' | 'add';
  readonly met: boolean;
  /** The first condition that is not met, and what the claims of its type are. */
  readonly unmet?: { readonly condition: string; readonly actual: string };
}

export interface MaaDecision {
  readonly permitted: boolean;
  /** Line of the rule that decided; absent where no rule did, which is a denial. */
  readonly decidedAt?: number;
  readonly trace: readonly MaaRuleTrace[];
  /** What the issuance rules issue, in their order; several of one type are several values. */
  readonly issued: readonly { readonly type: string; readonly value: MaaValue }[];
  /** `report_validity_in_minutes` and what else is set by issueproperty. */
  readonly properties: ReadonlyMap<string, MaaValue>;
}

type Found = ReadonlyMap<string, MaaClaim>;

/** Comparisons that one evaluation may take: policies come from callers as well (drafts), and must not cost more than a signature. */
const MAX_COMPARISONS = 200_000;
/** Combinations of claims that one rule may have. */
const MAX_MATCHES = 1_000;
const MAX_CLAIMS = 256;

/**
 * Evaluates a policy over the claims of verified evidence. Authorization rules are looked at in order until one permits or denies; if
 * none does, the answer is a denial. Issuance rules cannot fail an attestation; they are evaluated only where it is permitted.
 *
 * @throws MaaPolicyError MAA_POLICY_TOO_LARGE where it takes too much work: to be treated as a denial
 */
export function evaluateMaaPolicy(policy: MaaPolicy, claims: readonly MaaClaim[]): MaaDecision {
  return new Evaluation(claims).decide(policy);
}

class Evaluation {
  private readonly known: MaaClaim[];
  private readonly issued: { type: string; value: MaaValue }[] = [];
  private readonly properties = new Map<string, MaaValue>();
  private comparisons = 0;

  constructor(claims: readonly MaaClaim[]) {
    this.known = [...claims];
  }

  decide(policy: MaaPolicy): MaaDecision {
    const { properties, issued } = this;
    for (const rule of policy.configuration) this.act(rule.action, this.matches(rule));
    const trace: MaaRuleTrace[] = [];
    for (const rule of policy.authorization) {
      const { name } = rule.action;
      const found = this.matches(rule);
      const met = found.length > 0;
      const action = name as MaaRuleTrace['action'];
      trace.push({ line: rule.line, action, met, ...(met ? {} : { unmet: this.firstUnmet(rule) }) });
      if (!met) continue;
      if (name === 'deny') return { permitted: false, decidedAt: rule.line, trace, issued: [], properties };
      if (name === 'permit') {
        for (const each of policy.issuance) this.act(each.action, this.matches(each));
        return { permitted: true, decidedAt: rule.line, trace, issued, properties };
      }
      this.act(rule.action, found);
    }
    return { permitted: false, trace, issued: [], properties };
  }

  private act(action: MaaAction, found: readonly Found[]): void {
    if (action.name === 'permit' || action.name === 'deny') return;
    for (const each of found) {
      const claim =
        'claim' in action
          ? each.get(action.claim)
          : { type: resolve(action.type, each), value: resolve(action.value, each) };
      if (claim?.value === undefined || typeof claim.type !== 'string') continue;
      const { type, value } = claim as { type: string; value: MaaValue };
      if (action.name === 'issueproperty') {
        this.properties.set(type, value);
        continue;
      }
      if (action.name === 'issue' && !has(this.issued, type, value)) this.issued.push({ type, value });
      if (!has(this.known, type, value)) this.known.push({ type, value, issuer: 'AttestationPolicy' });
      if (this.known.length > MAX_CLAIMS || this.issued.length > MAX_CLAIMS)
        throw tooMuch(`more than ${MAX_CLAIMS} claims`, 1);
    }
  }

  /** Every way in which the conditions can be met; one empty way where there are none. */
  private matches({ conditions, line }: Pick<MaaRule, 'conditions' | 'line'>): Found[] {
    let found: Found[] = [new Map()];
    for (const condition of conditions) {
      const next: Found[] = [];
      for (const before of found) {
        this.comparisons += this.known.length * condition.tests.length;
        if (this.comparisons > MAX_COMPARISONS)
          throw tooMuch('more comparisons than a policy may take', line);
        const fitting = this.known.filter((claim) =>
          condition.tests.every((test) => fits(claim, test, before)),
        );
        if (condition.negated) {
          if (fitting.length === 0) next.push(before);
          continue;
        }
        // A condition without a name only has to be met; its claims make no further ways.
        for (const claim of condition.id === undefined ? fitting.slice(0, 1) : fitting)
          next.push(condition.id === undefined ? before : new Map([...before, [condition.id, claim]]));
      }
      if (next.length > MAX_MATCHES) throw tooMuch(`more than ${MAX_MATCHES} combinations of claims`, line);
      found = next;
      if (found.length === 0) return [];
    }
    return found;
  }

  private firstUnmet({ conditions, line }: MaaRule) {
    const index = conditions.findIndex(
      (_one, at) => this.matches({ conditions: conditions.slice(0, at + 1), line }).length === 0,
    );
    const condition = conditions[index] as MaaCondition;
    const type = condition.tests.find(({ property }) => property === 'type')?.operand;
    const name = type?.kind === 'literal' ? String(type.value) : undefined;
    const values = this.known.filter((claim) => claim.type === name).map(({ value }) => String(value));
    return {
      condition: condition.text,
      actual: name === undefined || values.length === 0 ? 'not stated' : values.join(' | ').slice(0, 500),
    };
  }
}

const tooMuch = (message: string, line: number): MaaPolicyError =>
  new MaaPolicyError('MAA_POLICY_TOO_LARGE', message, line, 1);

const has = (list: readonly { type: string; value: MaaValue }[], type: string, value: MaaValue): boolean =>
  list.some((claim) => claim.type === type && claim.value === value);

function fits(claim: MaaClaim, { property, operator, operand }: MaaTest, found: Found): boolean {
  const actual = propertyOf(claim, property);
  const expected = resolve(operand, found);
  if (expected === undefined) return false;
  const same =
    property === 'valuetype'
      ? String(actual).toLowerCase() === String(expected).toLowerCase()
      : actual === expected;
  switch (operator) {
    case '==':
      return same;
    case '!=':
      // Values of two kinds cannot be compared: neither equal nor unequal.
      return typeof actual === typeof expected && !same;
    default:
      if (typeof actual !== 'number' || typeof expected !== 'number') return false;
      if (operator === '<=') return actual <= expected;
      if (operator === '<') return actual < expected;
      return operator === '>=' ? actual >= expected : actual > expected;
  }
}

function resolve(operand: MaaOperand, found: Found): MaaValue | undefined {
  if (operand.kind === 'literal') return operand.value;
  const claim = found.get(operand.id);
  return claim === undefined ? undefined : propertyOf(claim, operand.property);
}

const VALUE_TYPES = { string: 'String', number: 'Integer', boolean: 'Boolean' } as const;

function propertyOf(claim: MaaClaim, property: MaaProperty): MaaValue {
  if (property !== 'valuetype') return claim[property];
  return VALUE_TYPES[typeof claim.value as keyof typeof VALUE_TYPES];
}
