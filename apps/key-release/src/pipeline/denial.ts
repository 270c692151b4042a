import { SiegelError, type ConditionRecord, type ErrorCode } from '#contracts';
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
