import { asSiegelError, type ErrorCode, SiegelError } from '#contracts';

/** The protocol's own names of what went wrong; clients show `detail` alone. */
export type KbsErrorKind =
  | 'AdminAuthAccess'
  | 'AdminAuthInitialization'
  | 'AttestationError'
  | 'InvalidRequestPath'
  | 'JweError'
  | 'ParsePolicyError'
  | 'PluginInternalError'
  | 'PluginNotFound'
  | 'PolicyDeny'
  | 'SerdeError'
  | 'TokenNotFound'
  | 'TokenVerifierError';

const TYPE = 'https://github.com/confidential-containers/kbs/errors/';

/**
 * A failure as the protocol words it. A client attests (again) at 401 to a resource and at nothing else, so that 401 means exactly "not
 * attested, or no longer"; at every other status it stops and shows `detail` to its user.
 */
export class KbsError extends Error {
  override readonly name = 'KbsError';
  constructor(
    readonly status: number,
    readonly kind: KbsErrorKind,
    readonly detail: string,
    options?: { cause?: unknown },
  ) {
    super(detail, options);
  }

  static notAttested(
    detail: string,
    kind: 'TokenNotFound' | 'TokenVerifierError' = 'TokenNotFound',
  ): KbsError {
    return new KbsError(401, kind, detail);
  }

  /** The whole body, in the order in which the real service writes it. */
  get body(): string {
    return JSON.stringify({ type: `${TYPE}${this.kind}`, detail: this.detail });
  }
}

/** A request that is not what the protocol says; the detail names shapes and limits, never content. */
export function malformed(detail: string): SiegelError {
  return new SiegelError('REQUEST_MALFORMED', {
    detail,
    reason: { code: 'REQUEST_MALFORMED', message: detail },
  });
}

/**
 * Anything thrown as the client is told it: our code, the code of the condition that failed (never what was expected), what it means
 * and what to do.
 */
export function kbsErrorOf(thrown: unknown, kind: KbsErrorKind): KbsError {
  if (thrown instanceof KbsError) return thrown;
  const error = asSiegelError(thrown);
  const { entry, code, reason, detail } = error;
  const why = reason === undefined || reason.code === code ? '' : ` (${reason.code})`;
  const what = detail === undefined ? entry.title : `${entry.title} ${sentence(detail)}`;
  return new KbsError(
    statusOf(code, entry.http),
    kindOf(code, kind),
    `${code}${why}: ${what} ${entry.remedy}`,
    {
      cause: error,
    },
  );
}

/** 401 would make a client attest again and again with what was refused. */
const statusOf = (code: ErrorCode, http: number): number =>
  http === 401 ? (SESSION_OVER.has(code) ? 401 : 403) : http;

const SESSION_OVER: ReadonlySet<ErrorCode> = new Set(['TOKEN_INVALID', 'TOKEN_EXPIRED', 'SESSION_ENDED']);

function kindOf(code: ErrorCode, kind: KbsErrorKind): KbsErrorKind {
  if (code === 'REQUEST_MALFORMED' || code === 'REQUEST_TOO_LARGE') return 'SerdeError';
  return SESSION_OVER.has(code) ? 'TokenVerifierError' : kind;
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
