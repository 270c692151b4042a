import { DcapError, inStep } from './error.js';
import type { VerificationStep, VerificationStepName } from './steps.js';

/** Collects the outcome of each check, in order. */
export class StepLog {
  readonly steps: VerificationStep[];

  constructor(before: readonly VerificationStep[] = []) {
    this.steps = [...before];
  }

  /** Adds checks whose outcome is remembered. */
  append(steps: readonly VerificationStep[]): void {
    for (const step of steps) this.steps.push(step);
  }

  /** Runs a check; whatever it throws is logged and thrown on with the name of the check. */
  run<T>(name: VerificationStepName, check: () => T, detail?: (value: T) => string): T {
    try {
      const value = inStep(name, check);
      this.steps.push(detail === undefined ? { name, ok: true } : { name, ok: true, detail: detail(value) });
      return value;
    } catch (error) {
      this.steps.push({
        name,
        ok: false,
        detail: error instanceof DcapError ? error.message : 'an unexpected error',
      });
      throw error;
    }
  }
}
