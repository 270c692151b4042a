import type { DcapErrorCode } from './error-catalogue.js';
import type { VerificationStepName } from './steps.js';

/** The only error that this library throws: a code of the catalogue, a sentence and, where known, the failed check. */
export class DcapError extends Error {
  override readonly name = 'DcapError';
  readonly code: DcapErrorCode;
  readonly step?: VerificationStepName;

  constructor(
    code: DcapErrorCode,
    message: string,
    options: { step?: VerificationStepName; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.step !== undefined) this.step = options.step;
  }
}

/**
 * Runs one check and names it in whatever it refuses. An error that is not of this library is a defect and becomes
 * INTERNAL_ERROR, so that no raw exception of the runtime reaches a caller.
 */
export function inStep<T>(step: VerificationStepName, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof DcapError) {
      if (error.step !== undefined) throw error;
      throw new DcapError(error.code, error.message, { step, cause: error.cause });
    }
    throw new DcapError('INTERNAL_ERROR', 'an unexpected error ended the check', { step, cause: error });
  }
}
