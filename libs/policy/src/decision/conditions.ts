import type { AttestedClaims } from './claims.js';
import type { Condition, ConditionValue, DecisionRequest } from './decision.js';
import type { DenialCode } from './denial-codes.js';

/** A compiled condition: evaluated without allocation beyond its {@link Condition}. */
export interface Rule {
  readonly name: string;
  readonly denial: DenialCode;
  readonly expected: ConditionValue;
  readonly actual: (request: DecisionRequest) => ConditionValue;
  readonly holds: (request: DecisionRequest) => boolean;
}

export function evaluate(rule: Rule, request: DecisionRequest): Condition {
  return { name: rule.name, expected: rule.expected, actual: rule.actual(request), ok: rule.holds(request) };
}

/** Longer lists would swell every audit event; the manifest's digest leads to them. */
const MAX_LISTED = 8;

/** How a list of alternatives is shown: a single value as itself, a long list as its length. */
export function alternatives<T extends string | number>(values: readonly T[]): ConditionValue {
  if (values.length === 1) return values[0] ?? null;
  if (values.length > MAX_LISTED) return `one of ${values.length} values`;
  return Object.freeze([...values]) as readonly string[] | readonly number[];
}

type Read<T> = (claims: AttestedClaims) => T | undefined;

/** The claim is one of the listed values. An absent claim is none of them. */
export function oneOf<T extends string | number>(
  name: string,
  denial: DenialCode,
  values: readonly T[],
  read: Read<T>,
): Rule {
  const set = new Set<T>(values);
  return {
    name,
    denial,
    expected: alternatives(values),
    actual: ({ claims }) => read(claims) ?? null,
    holds: ({ claims }) => {
      const value = read(claims);
      return value !== undefined && set.has(value);
    },
  };
}

/** The claim is a number not below the floor. An absent claim, NaN included, is below every floor. */
export function atLeast(name: string, denial: DenialCode, floor: number, read: Read<number>): Rule {
  return {
    name,
    denial,
    expected: `>= ${floor}`,
    actual: ({ claims }) => read(claims) ?? null,
    holds: ({ claims }) => {
      const value = read(claims);
      return value !== undefined && value >= floor;
    },
  };
}

/** The claim is a number not above the ceiling. An absent claim, NaN included, is above every ceiling. */
export function atMost(name: string, denial: DenialCode, ceiling: number, read: Read<number>): Rule {
  return {
    name,
    denial,
    expected: `<= ${ceiling}`,
    actual: ({ claims }) => read(claims) ?? null,
    holds: ({ claims }) => {
      const value = read(claims);
      return value !== undefined && value <= ceiling;
    },
  };
}

/** The claim is known and equals the value. */
export function exactly(
  name: string,
  denial: DenialCode,
  value: boolean | string,
  read: Read<boolean | string>,
): Rule {
  return {
    name,
    denial,
    expected: value,
    actual: ({ claims }) => read(claims) ?? null,
    holds: ({ claims }) => read(claims) === value,
  };
}
