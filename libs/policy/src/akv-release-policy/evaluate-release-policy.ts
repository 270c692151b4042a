import type {
  Authority,
  ClaimCondition,
  Group,
  Operator,
  PolicyValue,
  ReleaseCondition,
  ReleasePolicy,
} from './grammar.js';

/** What a verified attestation token says. The caller has checked its signature with keys of exactly this issuer. */
export interface ReleaseToken {
  /** The token's `iss`, as it stands there. */
  readonly issuer: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Why a condition was not met although the claim may be there. */
export type Unmet =
  'CLAIM_MISSING' | 'CLAIM_NOT_COMPARABLE' | 'NOT_A_NUMBER' | 'VALUE_DIFFERS' | 'ISSUER_DIFFERS';

/** One step of the evaluation. Every condition is evaluated, also where the outcome is already certain. */
export type ReleaseTrace =
  | { kind: 'policy' | 'allOf' | 'anyOf'; path: string; ok: boolean; children: ReleaseTrace[] }
  | {
      kind: 'authority';
      path: string;
      ok: boolean;
      authority: string;
      issuer: string;
      reason?: Unmet;
      children: ReleaseTrace[];
    }
  | {
      kind: 'claim';
      path: string;
      ok: boolean;
      claim: string;
      operator: Operator;
      expected: PolicyValue;
      actual: PolicyValue | null;
      reason?: Unmet;
    };

export interface ReleaseDecision {
  readonly released: boolean;
  /** The first authority that was satisfied. */
  readonly authority?: string;
  readonly trace: ReleaseTrace;
}

/**
 * Evaluates a release policy over a verified token.
 *
 * An authority must equal the issuer byte for byte. A missing claim meets no condition but `exists: false`. Values are
 * compared as canonical text (`true`, `"true"` and the claim `true` are one value; so are `1` and `"1"`), because genuine policies mix
 * them; `less` and its kin compare whole numbers only. Lists and objects equal nothing. Never throws.
 */
export function evaluateReleasePolicy(policy: ReleasePolicy, token: ReleaseToken): ReleaseDecision {
  const children = policy.anyOf.map((authority, index) =>
    evaluateAuthority(authority, `anyOf[${index}]`, token),
  );
  const satisfied = children.findIndex((child) => child.ok);
  const trace: ReleaseTrace = { kind: 'policy', path: '', ok: satisfied >= 0, children };
  const authority = policy.anyOf[satisfied]?.authority;
  return authority === undefined ? { released: false, trace } : { released: true, authority, trace };
}

function evaluateAuthority({ authority, rule }: Authority, path: string, token: ReleaseToken): ReleaseTrace {
  const issuer = token.issuer;
  const rules = evaluateGroup(rule, path, token.claims);
  const base = { kind: 'authority', path, authority, issuer, children: [rules] } as const;
  if (authority !== issuer) return { ...base, children: [rules], ok: false, reason: 'ISSUER_DIFFERS' };
  return { ...base, children: [rules], ok: rules.ok };
}

function evaluateGroup(
  { kind, conditions }: Group,
  path: string,
  claims: ReleaseToken['claims'],
): ReleaseTrace {
  const children = conditions.map((condition, index) =>
    evaluateCondition(condition, `${path}.${kind}[${index}]`, claims),
  );
  // The grammar has no empty list; should a program make one, it is satisfied by nothing.
  const ok =
    children.length > 0 &&
    (kind === 'allOf' ? children.every((child) => child.ok) : children.some((child) => child.ok));
  return { kind, path: `${path}.${kind}`, ok, children };
}

function evaluateCondition(
  condition: ReleaseCondition,
  path: string,
  claims: ReleaseToken['claims'],
): ReleaseTrace {
  return condition.kind === 'claim'
    ? evaluateClaim(condition, path, claims)
    : evaluateGroup(condition, path, claims);
}

function evaluateClaim(
  { claim, operator, value }: ClaimCondition,
  path: string,
  claims: ReleaseToken['claims'],
): ReleaseTrace {
  const found = claimAt(claims, claim);
  const actual =
    typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? found : null;
  const reason = operator === 'exists' ? existence(found, value) : comparison(operator, found, value);
  const base = { kind: 'claim', path, claim, operator, expected: value, actual } as const;
  return reason === undefined ? { ...base, ok: true } : { ...base, ok: false, reason };
}

function existence(found: unknown, value: PolicyValue): Unmet | undefined {
  const wanted = String(value) === 'true';
  if (wanted) return found === undefined ? 'CLAIM_MISSING' : undefined;
  return found === undefined ? undefined : 'VALUE_DIFFERS';
}

function comparison(
  operator: Exclude<Operator, 'exists'>,
  found: unknown,
  value: PolicyValue,
): Unmet | undefined {
  if (found === undefined) return 'CLAIM_MISSING';
  const left = canonical(found);
  const right = canonical(value);
  if (left === undefined || right === undefined) return 'CLAIM_NOT_COMPARABLE';
  if (operator === 'equals') return left === right ? undefined : 'VALUE_DIFFERS';
  if (operator === 'notEquals') return left === right ? 'VALUE_DIFFERS' : undefined;
  const a = integer(left);
  const b = integer(right);
  if (a === undefined || b === undefined) return 'NOT_A_NUMBER';
  const met = { less: a < b, lessOrEquals: a <= b, greater: a > b, greaterOrEquals: a >= b }[operator];
  return met ? undefined : 'VALUE_DIFFERS';
}

/** Claims of a token by dotted path. Only own members count, and lists are not entered. */
function claimAt(claims: ReleaseToken['claims'], path: string): unknown {
  let value: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value ?? undefined;
}

function canonical(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  // Numbers that JSON readers may round or write in another way are equal to nothing.
  if (typeof value === 'number' && Number.isSafeInteger(value))
    return Object.is(value, -0) ? '0' : String(value);
  return undefined;
}

function integer(text: string): bigint | undefined {
  return /^(?:0|-?[1-9][0-9]{0,38})$/.test(text) ? BigInt(text) : undefined;
}
