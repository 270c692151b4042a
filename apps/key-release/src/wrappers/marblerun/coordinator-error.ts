/** Refusals of the coordinator. Each protocol of this wrapper has its own way to say them. */
export const COORDINATOR_ERRORS = {
  /** The request is not allowed in the present state. */
  WRONG_STATE: 'failed-precondition',
  /** The body or a parameter cannot be read. */
  REQUEST_INVALID: 'invalid',
  MANIFEST_INVALID: 'invalid',
  /** No user or no marble with the certificate presented; no operator credential where one is needed. */
  UNAUTHORIZED: 'unauthenticated',
  /** Known, but without the right. */
  FORBIDDEN: 'denied',
  FEATURE_DISABLED: 'disabled',
  NO_UPDATE: 'not-found',
  UPDATE_REFUSED: 'failed-precondition',
  NOT_SET: 'not-found',
  SECRET_UNUSABLE: 'invalid',
  RECOVERY_REFUSED: 'invalid',
  RATE_LIMITED: 'exhausted',
  /** The endpoint has been switched off for good. */
  GONE: 'disabled',
  UNKNOWN_MARBLE: 'denied',
  BUDGET_SPENT: 'denied',
  QUOTE_REFUSED: 'denied',
  STATE_UNREADABLE: 'internal',
} as const;
export type CoordinatorErrorCode = keyof typeof COORDINATOR_ERRORS;

/** A refusal whose envelope says more than its message (v2 `fail`). */
export interface ErrorDetail {
  readonly data?: Readonly<Record<string, string>>;
}

/** `message` is what the client is told, in the protocol's own words where it has some. It never holds a secret. */
export class CoordinatorError extends Error {
  override readonly name = 'CoordinatorError';
  constructor(
    readonly code: CoordinatorErrorCode,
    message: string,
    readonly options: ErrorOptions & ErrorDetail = {},
  ) {
    super(message, options);
  }
}
