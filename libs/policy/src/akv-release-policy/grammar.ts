/**
 * Key Vault release policy, grammar 1.0.0 (Microsoft Learn, "Azure Key Vault secure key release policy grammar").
 * Claims are dotted paths into an attestation token; values are text, numbers or truth values.
 */
export const OPERATORS = [
  'equals',
  'notEquals',
  'less',
  'lessOrEquals',
  'greater',
  'greaterOrEquals',
  'exists',
] as const;
export type Operator = (typeof OPERATORS)[number];
export type PolicyValue = string | number | boolean;

export interface ClaimCondition {
  readonly kind: 'claim';
  readonly claim: string;
  readonly operator: Operator;
  readonly value: PolicyValue;
}

/** `allOf` or `anyOf` over conditions, never empty. */
export interface Group {
  readonly kind: 'allOf' | 'anyOf';
  readonly conditions: readonly ReleaseCondition[];
}

export type ReleaseCondition = ClaimCondition | Group;

/** An issuer of tokens, and what its tokens must say. */
export interface Authority {
  readonly authority: string;
  readonly rule: Group;
}

/** A release policy that obeys the grammar. One authority suffices. */
export interface ReleasePolicy {
  /** `1.0.0`, or `0.2` as some scripts still write. */
  readonly version: '1.0.0' | '0.2';
  readonly anyOf: readonly Authority[];
}

/** Bounds of a release policy beyond those of every document. */
export const RELEASE_POLICY_LIMITS = {
  authorities: 64,
  conditions: 1000,
  depth: 16,
  claimLength: 256,
  valueLength: 4096,
} as const;
