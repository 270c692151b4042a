import { asSiegelError, SiegelError } from '#contracts';
import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A failure as Key Vault words it, for clients that know nothing else. */
export class AkvError extends Error {
  override readonly name = 'AkvError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  static badParameter(message: string): AkvError {
    return new AkvError(400, 'BadParameter', message);
  }

  static keyNotFound(name: string): AkvError {
    return new AkvError(404, 'KeyNotFound', `A key with (name/id) ${name} was not found in this key vault.`);
  }

  /** One answer for every refusal, as Key Vault gives it; the reason is in the audit log. */
  static forbidden(): AkvError {
    return new AkvError(
      403,
      'Forbidden',
      'Target environment attestation statement cannot be verified. The operator finds the reason in the audit log.',
    );
  }
}

function akvErrorOf(thrown: unknown): AkvError {
  if (thrown instanceof AkvError) return thrown;
  const { code, message, entry } = asSiegelError(thrown);
  if (code === 'TENANT_UNKNOWN') return new AkvError(404, 'VaultNotFound', message);
  if (entry.http === 503) {
    const throttled = code === 'VAULT_THROTTLED';
    return new AkvError(503, throttled ? 'Throttled' : 'ServiceUnavailable', message, { 'retry-after': '1' });
  }
  if (entry.http < 500) return new AkvError(entry.http, 'BadParameter', message);
  return new AkvError(500, 'InternalServerError', 'Something failed that should not.', {}, { cause: thrown });
}

const log = new Logger('akv-release');

export function sendAkvError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = akvErrorOf(thrown);
  if (error.status === 500) {
    const cause = thrown instanceof SiegelError ? (thrown.cause ?? thrown) : thrown;
    log.error({ msg: 'request failed', requestId: request.id, err: cause });
  }
  if (reply.sent) return;
  void reply
    .status(error.status)
    .headers({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-ms-request-id': request.id,
      ...error.headers,
    })
    .send(JSON.stringify({ error: { code: error.code, message: error.message } }));
}

/** Answers every error of these endpoints in Key Vault's shape. */
@Catch()
export class AkvErrorFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendAkvError(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}
