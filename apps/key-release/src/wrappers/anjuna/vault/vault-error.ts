import { asSiegelError, SiegelError } from '#contracts';
import { asHttpError } from '#platform';
import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A failure as Vault words it. */
export interface VaultFailure {
  readonly status: number;
  readonly errors: readonly string[];
}

/** Why something was refused is in the audit log; Vault's clients learn that it was. */
export function vaultFailureOf(error: SiegelError): VaultFailure {
  const { http } = error.entry;
  if (error.code === 'SECRET_NOT_FOUND' || error.code === 'NOT_FOUND')
    return { status: 404, errors: error.detail === undefined ? [] : [error.detail] };
  if (http === 401 || http === 403) return { status: 403, errors: ['permission denied'] };
  if (http === 503 || http === 429 || http === 413) return { status: http, errors: [error.entry.title] };
  if (http < 500) return { status: http === 404 ? 404 : 400, errors: [error.detail ?? error.entry.title] };
  return { status: 500, errors: ['internal error'] };
}

export function sendVaultFailure({ status, errors }: VaultFailure, reply: FastifyReply): void {
  if (reply.sent) return;
  void reply
    .status(status)
    .headers({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(status === 503 ? { 'retry-after': '1' } : {}),
    })
    .send(JSON.stringify({ errors }));
}

const log = new Logger('anjuna-vault');

/** Answers every error of this API in Vault's shape. */
@Catch()
export class VaultErrorFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const error = asSiegelError(asHttpError(thrown));
    if (error.code === 'INTERNAL')
      log.error({ msg: 'request failed', requestId: request.id, err: error.cause ?? error });
    sendVaultFailure(vaultFailureOf(error), http.getResponse<FastifyReply>());
  }
}
