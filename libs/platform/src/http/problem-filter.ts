import { asSiegelError, ERROR_CATALOGUE, problemOf, SiegelError, type ErrorCode } from '#contracts';
import { ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Which of our codes an error of the framework or of the HTTP server means. */
function codeOfStatus(status: number): ErrorCode {
  switch (status) {
    case 400:
      return 'REQUEST_MALFORMED';
    case 404:
      return 'NOT_FOUND';
    case 405:
      return 'METHOD_NOT_ALLOWED';
    case 408:
      return 'REQUEST_TIMEOUT';
    case 413:
      return 'REQUEST_TOO_LARGE';
    case 415:
      return 'CONTENT_TYPE_UNSUPPORTED';
    case 503:
      return 'OVERLOADED';
    default:
      return 'INTERNAL';
  }
}

/** What an error of the framework, of the HTTP server or of ours is in the catalogue. */
export function asHttpError(thrown: unknown): SiegelError {
  if (thrown instanceof SiegelError) return thrown;
  const status =
    thrown instanceof HttpException
      ? thrown.getStatus()
      : ((thrown as { statusCode?: unknown } | null)?.statusCode as number | undefined);
  if (typeof status === 'number') {
    const code = codeOfStatus(status);
    if (code !== 'INTERNAL') return new SiegelError(code);
  }
  return asSiegelError(thrown);
}

/** Every failure leaves as problem+json (RFC 9457) from the catalogue; nothing of an unknown error is shown, only its request id. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger('http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(
      http.getResponse<FastifyReply>(),
      http.getRequest<FastifyRequest>(),
      asHttpError(thrown),
      this.log,
    );
  }
}

export function sendProblem(
  reply: FastifyReply,
  request: FastifyRequest,
  error: SiegelError,
  log: Logger,
): void {
  if (error.code === 'INTERNAL')
    log.error({ msg: 'request failed', requestId: request.id, err: error.cause ?? error });
  if (reply.sent) return;
  const status = ERROR_CATALOGUE[error.code].http;
  void reply
    .status(status)
    .headers({
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      'x-request-id': request.id,
      ...(status === 401 ? { 'www-authenticate': 'DPoP algs="ES256 ES384 RS256 EdDSA", Bearer' } : {}),
      ...(error.entry.retryable && status === 503 ? { 'retry-after': '1' } : {}),
    })
    .send(JSON.stringify(problemOf(error, request.id)));
}
