import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isIP } from 'node:net';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { TenantResolver } from '../../tenants/tenant-resolver.js';
import { AkvError, sendAkvError } from './akv-error.js';
import { KeyDirectory } from './key-directory.js';

const RELEASE_PATH = /^\/keys\/[^/?]+(?:\/[^/?]*)?\/release(?:\?|$)/;

/**
 * The authentication challenge of Key Vault, and its shape for every refusal. Its clients ask first without token and without body (but with the content type of one,
 * which no JSON parser takes) and learn from the answer whom to ask for a token. What they then send as a bearer token decides
 * nothing here: the attestation token does.
 */
@Injectable()
export class AuthenticationChallenge implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly directory: KeyDirectory,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  onModuleInit(): void {
    const server = this.host.httpAdapter.getInstance<FastifyInstance>();
    server.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: () => void) => {
      if (!isFirstRequest(request)) return done();
      try {
        sendAkvError(this.challenge(request.headers.host), request, reply);
      } catch (error) {
        sendAkvError(error, request, reply);
      }
    });
    server.addHook('onSend', (request, reply, payload, done) => {
      const foreign =
        RELEASE_PATH.test(request.url) &&
        String(reply.getHeader('content-type')).startsWith('application/problem+json');
      if (foreign) void reply.header('content-type', 'application/json; charset=utf-8');
      done(null, foreign ? inAkvShape(payload) : payload);
    });
  }

  private challenge(host: string | undefined): AkvError {
    const base = this.environment.SIEGEL_PUBLIC_URL;
    const resource = this.directory.resource ?? challengeResource(base);
    const tenant = this.tenants.resolve(host);
    return new AkvError(401, 'Unauthorized', 'AKV10000: Request is missing a Bearer or PoP token.', {
      'www-authenticate': `Bearer authorization="${base}/${tenant}", resource="${resource}"`,
    });
  }
}

/** What refused a request before it reached these endpoints (no JSON, too large) speaks in problem details. */
function inAkvShape(payload: unknown): string {
  const { title, detail } = JSON.parse(String(payload)) as { title?: string; detail?: string };
  return JSON.stringify({ error: { code: 'BadParameter', message: detail ?? title ?? 'Bad request.' } });
}

function isFirstRequest({ method, url, headers }: FastifyRequest): boolean {
  return (
    method === 'POST' &&
    headers.authorization === undefined &&
    headers['transfer-encoding'] === undefined &&
    (headers['content-length'] ?? '0') === '0' &&
    RELEASE_PATH.test(url)
  );
}

/**
 * The resource that a challenge names: clients send a token only to a host below that of the resource, so it is the parent domain of
 * ours. A host without a parent (`localhost`, an address) names itself; clients then must have that check turned off.
 */
export function challengeResource(publicUrl: string): string {
  const { hostname, origin } = new URL(publicUrl);
  const parent = hostname.slice(hostname.indexOf('.') + 1);
  const below = hostname.includes('.') && parent.includes('.') && isIP(hostname) === 0;
  return below ? `https://${parent}` : origin;
}
