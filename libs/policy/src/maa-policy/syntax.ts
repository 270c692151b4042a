/**
 * The policy language of Microsoft Azure Attestation, versions 1.0 to 1.2 without the functions of 1.2
 * (learn.microsoft.com/azure/attestation/policy-version-1-2, claim-rule-grammar).
 */
export type MaaValue = string | number | boolean;

export const MAA_ISSUERS = ['AttestationService', 'AttestationPolicy', 'CustomClaim'] as const;
export type MaaIssuer = (typeof MAA_ISSUERS)[number];

/** A claim as rules see it. */
export interface MaaClaim {
  readonly type: string;
  readonly value: MaaValue;
  readonly issuer: MaaIssuer;
}

export type MaaProperty = 'type' | 'value' | 'valuetype' | 'issuer';
export type MaaOperator = '==' | '!=' | '<=' | '<' | '>=' | '>';

/** A literal, or a property of the claim that an earlier condition found. */
export type MaaOperand =
  | { readonly kind: 'literal'; readonly value: MaaValue }
  | { readonly kind: 'reference'; readonly id: string; readonly property: MaaProperty };

export interface MaaTest {
  readonly property: MaaProperty;
  readonly operator: MaaOperator;
  readonly operand: MaaOperand;
}

export interface MaaCondition {
  readonly id?: string;
  /** `!` of version 1.2: met where no claim matches. */
  readonly negated: boolean;
  readonly tests: readonly MaaTest[];
  /** As it stands in the policy. */
  readonly text: string;
}

export type MaaAction =
  | { readonly name: 'permit' }
  | { readonly name: 'deny' }
  | {
      readonly name: 'add' | 'issue' | 'issueproperty';
      readonly type: MaaOperand;
      readonly value: MaaOperand;
    }
  | { readonly name: 'add' | 'issue'; readonly claim: string };

export interface MaaRule {
  readonly conditions: readonly MaaCondition[];
  readonly action: MaaAction;
  /** First line of the rule, from 1. */
  readonly line: number;
}

export interface MaaPolicy {
  readonly version: '1.0' | '1.1' | '1.2';
  readonly configuration: readonly MaaRule[];
  readonly authorization: readonly MaaRule[];
  readonly issuance: readonly MaaRule[];
}

/** Largest policy text, in characters. */
export const MAX_MAA_POLICY_CHARACTERS = 64 * 1024;

/** The text is no policy, or uses what is not supported here. `line` and `column` count from 1. */
export class MaaPolicyError extends Error {
  override readonly name = 'MaaPolicyError';
  constructor(
    readonly code: 'MAA_POLICY_SYNTAX' | 'MAA_POLICY_UNSUPPORTED' | 'MAA_POLICY_TOO_LARGE',
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}
