import { SiegelError, type ConditionRecord, type ErrorCode, type VerdictClaims } from '#contracts';
import type { Condition, Decision } from '#policy';
import type { z } from 'zod';

/** A refusal with everything that its event says; the caller sees the code of `error` alone. */
export class Denial extends Error {
  override readonly name = 'Denial';
  constructor(
    readonly error: SiegelError,
    readonly reason: { readonly code: string; readonly message: string },
    readonly conditions: readonly Condition[] = [],
    readonly workload?: string,
  ) {
    super(reason.message);
  }

  /** The same refusal, with the conditions that held before it. */
  after({ conditions, workload }: Decision): Denial {
    return new Denial(this.error, this.reason, conditions, workload);
  }

  static of(code: ErrorCode, reason: { code: string; message: string }): Denial {
    return new Denial(new SiegelError(code, { reason }), reason);
  }

  static fromDecision(decision: Extract<Decision, { outcome: 'denied' }>): Denial {
    const code: ErrorCode = decision.code === 'CHALLENGE_REQUIRED' ? 'CHALLENGE_REQUIRED' : 'RELEASE_DENIED';
    const reason = { code: decision.code, message: explanation(decision) };
    return new Denial(new SiegelError(code, { reason }), reason, decision.conditions, decision.workload);
  }
}

function explanation({ message, conditions }: Extract<Decision, { outcome: 'denied' }>): string {
  const failed = conditions
    .filter(({ ok }) => !ok)
    .map(({ name, expected, actual }) => `${name}: expected ${show(expected)}, is ${show(actual)}`);
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return [sentence, ...failed.map((text) => `${text}.`)].join(' ').slice(0, 1_000);
}

export function conditionRecords(conditions: readonly Condition[]): z.infer<typeof ConditionRecord>[] {
  return conditions.slice(0, 64).map(({ name, expected, actual, ok }) => ({
    name: name.slice(0, 64),
    expected: show(expected),
    actual: show(actual),
    ok,
  }));
}

function show(value: Condition['expected']): string {
  if (value === null) return 'not stated';
  const text = typeof value === 'object' ? value.join(' | ') : String(value);
  return text.length > 1_000 ? `${text.slice(0, 997)}...` : text;
}

/** Which failures are decisions, to be logged as denials; the others are outages, and nothing was decided. */
export function asDenial(error: unknown): Denial | undefined {
  if (error instanceof Denial) return error;
  if (!(error instanceof SiegelError)) return undefined;
  const { http } = error.entry;
  const decided = http >= 400 && http < 500 && error.code !== 'RATE_LIMITED';
  if (!decided) return undefined;
  return new Denial(error, error.reason ?? { code: error.code, message: error.message.slice(0, 1_000) });
}

/** The refusal of evidence that the verifier did not accept. */
export function rejected(verdict: VerdictClaims): Denial {
  const { code, message, step } = verdict.error ?? {
    code: 'UNVERIFIED',
    message: 'the verifier gave no reason',
  };
  const reason = { code, message: (step === undefined ? message : `${step}: ${message}`).slice(0, 1_000) };
  return Denial.of(
    verdict.claims === undefined && malformed(code) ? 'EVIDENCE_MALFORMED' : 'EVIDENCE_REJECTED',
    reason,
  );
}

/** The verifier's codes that speak of the form of the quote, which the caller may know. */
const malformed = (code: string): boolean => /^(QUOTE|EVIDENCE)_/.test(code) && !/SIGNATURE/.test(code);
