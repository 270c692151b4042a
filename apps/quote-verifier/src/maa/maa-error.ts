import { asSiegelError, type ErrorCode } from '#contracts';
import type { FastifyReply } from 'fastify';

/** Codes of this API's errors, as Microsoft's service has them; the last three are of HTTP in general. */
export type MaaErrorCode =
  | 'InvalidParameter'
  | 'InvalidQuote'
  | 'PolicyEvaluationError'
  | 'PolicyParsingError'
  | 'InvalidOperation'
  | 'NotFound'
  | 'TooManyRequests'
  | 'ServiceUnavailable'
  | 'InternalServerError';

/** A refusal in the words of this API; `inner` is our own machine-readable code. */
export class MaaError extends Error {
  override readonly name = 'MaaError';
  constructor(
    readonly status: number,
    readonly code: MaaErrorCode,
    message: string,
    readonly inner: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }

  static invalid(message: string, inner: string): MaaError {
    return new MaaError(400, 'InvalidParameter', message, inner);
  }

  static unavailable(message: string, inner: ErrorCode): MaaError {
    return new MaaError(503, 'ServiceUnavailable', message, inner, { 'retry-after': '1' });
  }
}

/** What anything thrown is in this API; nothing of an unforeseen error is shown. */
export function asMaaError(thrown: unknown): MaaError {
  if (thrown instanceof MaaError) return thrown;
  const { statusCode } = (thrown ?? {}) as { statusCode?: unknown };
  if (statusCode === 413)
    return new MaaError(413, 'InvalidParameter', 'The request is too large.', 'REQUEST_TOO_LARGE');
  if (statusCode === 415 || statusCode === 400)
    return MaaError.invalid('The request cannot be read.', 'REQUEST_MALFORMED');
  const { code, message, entry } = asSiegelError(thrown);
  if (entry.http === 503) return MaaError.unavailable(message, code);
  if (entry.http < 500) return new MaaError(entry.http, 'InvalidParameter', message, code);
  return new MaaError(500, 'InternalServerError', 'Something failed that should not.', 'INTERNAL');
}

export const SERVICE_VERSION = 'siegel-0.1.0';

/** Body and headers of this API: `{"error":{"code","message","innererror"}}`, and the code once more as a header. */
export function sendMaaError(reply: FastifyReply, error: MaaError, requestId: string): void {
  if (reply.sent) return;
  void reply
    .status(error.status)
    .headers({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-ms-request-id': requestId,
      'x-ms-maa-service-version': SERVICE_VERSION,
      'x-ms-error-code': error.code,
      ...error.headers,
    })
    .send(errorBody(error));
}

export const errorBody = ({ code, message, inner }: Pick<MaaError, 'code' | 'message' | 'inner'>): string =>
  JSON.stringify({ error: { code, message, innererror: { code: inner } } });
