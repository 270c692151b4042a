import { ERROR_CATALOGUE, isErrorCode, type CatalogueEntry, type ErrorCode } from './catalogue.js';

/**
 * The error type at every service boundary.
 * `detail` may reach the caller, so it names shapes and limits, never secrets, quotes or policy;
 * `reason` is for the operator alone (log and audit event).
 */
export class SiegelError extends Error {
  override readonly name = 'SiegelError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly reason: { readonly code: string; readonly message: string } | undefined;
  /** Extension members of the problem response (RFC 9457 §3.2), for example the problems of a manifest. */
  readonly extensions: Readonly<Record<string, unknown>> | undefined;

  constructor(
    code: ErrorCode,
    options: {
      detail?: string;
      reason?: { code: string; message: string };
      extensions?: Record<string, unknown>;
      cause?: unknown;
    } = {},
  ) {
    super(
      options.detail ?? ERROR_CATALOGUE[code].title,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.code = code;
    this.detail = options.detail;
    this.reason = options.reason;
    this.extensions = options.extensions;
  }

  get entry(): CatalogueEntry {
    return ERROR_CATALOGUE[this.code];
  }
}

/** Problem details for HTTP APIs, RFC 9457 §3, with our extension members. */
export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail?: string;
  readonly remedy: string;
  readonly retryable: boolean;
  readonly requestId?: string;
}

export function problemOf(error: SiegelError, requestId?: string): ProblemDetails {
  const { http, title, remedy, retryable } = error.entry;
  return {
    ...error.extensions,
    type: `urn:siegel:error:${error.code}`,
    title,
    status: http,
    code: error.code,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    remedy,
    retryable,
    ...(requestId === undefined ? {} : { requestId }),
  };
}

const MAX_WIRE_CHARACTERS = 300;

/** What crosses NATS for an error: the code and the caller-safe detail. Unsigned: the broker may have written both. */
export function errorFromWire(code: string, told: string): SiegelError {
  const detail = told.slice(0, MAX_WIRE_CHARACTERS);
  return isErrorCode(code)
    ? new SiegelError(code, detail === '' ? {} : { detail })
    : new SiegelError('INTERNAL', { reason: { code, message: detail } });
}

/** Anything thrown becomes one of ours; an unknown error keeps its cause for the log and shows nothing of it. */
export function asSiegelError(error: unknown): SiegelError {
  return error instanceof SiegelError ? error : new SiegelError('INTERNAL', { cause: error });
}
