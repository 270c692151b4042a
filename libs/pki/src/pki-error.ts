import { PKI_ERRORS } from './pki-error-catalogue.js';
import type { PkiErrorCode } from './pki-error-catalogue.js';

/**
 * The only error that this library throws on purpose. `code` is closed ({@link PKI_ERRORS} says what each
 * means and what to do); `message` never contains key material, plaintext or a token.
 */
export class PkiError extends Error {
  override readonly name = 'PkiError';
  readonly code: PkiErrorCode;

  constructor(code: PkiErrorCode, detail?: string, options?: { cause?: unknown }) {
    super(
      detail === undefined ? PKI_ERRORS[code].meaning : `${PKI_ERRORS[code].meaning}: ${detail}`,
      options,
    );
    this.code = code;
  }
}

/** Whether `error` is a {@link PkiError}, optionally with exactly that code. */
export function isPkiError(error: unknown, code?: PkiErrorCode): error is PkiError {
  return error instanceof PkiError && (code === undefined || error.code === code);
}
