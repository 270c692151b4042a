import { ERROR_CATALOGUE, type ErrorCode, SiegelError } from '#contracts';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { VAULT_PREFIX } from './vault-call.js';
import { vaultFailureOf } from './vault-error.js';

/**
 * What clients of Vault do otherwise than others, below its prefix and only where it is on: a body is JSON whatever its type says
 * (the command line sends none), and what refuses a request before it reaches the API speaks as Vault does.
 */
@Injectable()
export class VaultLanguage implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  onModuleInit(): void {
    if (!this.environment.SIEGEL_ANJUNA) return;
    const server = this.host.httpAdapter.getInstance<FastifyInstance>();
    server.addHook('onRequest', (request, _reply, done) => {
      const { headers } = request.raw;
      const hasBody =
        headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
      if (request.url.startsWith(VAULT_PREFIX)) {
        if (hasBody) headers['content-type'] = 'application/json';
        else delete headers['content-type'];
      }
      done();
    });
    server.addHook('onSend', (request, reply, payload, done) => {
      const foreign =
        request.url.startsWith(VAULT_PREFIX) &&
        String(reply.getHeader('content-type')).startsWith('application/problem+json');
      if (!foreign) return done(null, payload);
      const { status, errors } = vaultFailureOf(errorOf(payload));
      void reply.status(status).header('content-type', 'application/json').removeHeader('www-authenticate');
      done(null, JSON.stringify({ errors }));
    });
  }
}

/** The catalogue's error that a problem document names. */
function errorOf(payload: unknown): SiegelError {
  const { code } = JSON.parse(String(payload)) as { code?: string };
  return new SiegelError(
    code !== undefined && Object.hasOwn(ERROR_CATALOGUE, code) ? (code as ErrorCode) : 'INTERNAL',
  );
}
