import { CLI_ERRORS, type CliErrorCode } from './catalogue.js';

/**
 * A failure as it is shown: one sentence, its code, what to do. `code` is one of the command line's own, or one that a
 * service answered with (then `remedy` is the service's).
 */
export class CliError extends Error {
  override readonly name = 'CliError';

  private constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
    readonly exit: 1 | 2,
    /** Members that the JSON output carries beside code and message. */
    readonly extra: Readonly<Record<string, unknown>>,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }

  static of(
    code: CliErrorCode,
    message: string,
    options: { remedy?: string; cause?: unknown } = {},
  ): CliError {
    const { remedy, exit } = CLI_ERRORS[code];
    return new CliError(code, message, options.remedy ?? remedy, exit, {}, options.cause);
  }

  /** An error that a service answered with (problem+json). */
  static answered(
    code: string,
    message: string,
    remedy: string,
    extra: Readonly<Record<string, unknown>> = {},
  ): CliError {
    return new CliError(code, message, remedy, 1, extra);
  }
}
