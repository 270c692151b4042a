import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { attestationKind, type AttestationKind } from './attestation-kind.js';
import type { MaaAttestation } from './attestation.service.js';
import { asMaaError, errorBody, MaaError, sendMaaError, SERVICE_VERSION } from './maa-error.js';
import type { MaaMetrics } from './maa-metrics.js';
import { openIdConfiguration } from './openid-configuration.js';
import { policyDocument, policySigners } from './policy-documents.js';
import { MAX_BODY_BYTES } from './request-body.js';
import type { MaaTenant, MaaTenants } from './tenants-file.js';
import type { TokenKeys } from './token-keys.js';

const JSON_TYPE = 'application/json; charset=utf-8';
const CACHED = 'public, max-age=300';
const API_VERSION = /^[0-9A-Za-z.-]{1,32}$/;

export interface FrontOptions {
  readonly tenants: MaaTenants;
  /** Token keys by tenant. */
  readonly keys: ReadonlyMap<string, TokenKeys>;
  readonly attestation: MaaAttestation;
  readonly metrics: MaaMetrics;
  readonly https: { cert: string | Buffer; key: string | Buffer };
  readonly maxInFlight: number;
  readonly clock: () => Date;
  readonly onError: (message: string, error: unknown) => void;
}

/**
 * The API of Microsoft Azure Attestation over HTTPS: tenants by host, paths in any letter case, with or without a slash at their end.
 * A server of its own, because that API's addresses, bodies and errors have nothing in common with ours.
 */
export function maaFront(options: FrontOptions): FastifyInstance {
  const { tenants, keys, attestation, metrics, clock } = options;
  const server = fastify({
    https: { ...options.https, minVersion: 'TLSv1.2' },
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 10_000,
    connectionTimeout: 60_000,
    keepAliveTimeout: 65_000,
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 64 },
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    logger: false,
    return503OnClosing: true,
    clientErrorHandler: (_error, socket) => answerBroken(socket),
    frameworkErrors: (error, request, reply) =>
      sendMaaError(reply as FastifyReply, asMaaError(error), (request as FastifyRequest).id),
  });
  // Bodies are read by us, whatever content type a client states: some state none.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.setErrorHandler((thrown, request, reply) => {
    const error = asMaaError(thrown);
    if (error.status === 500) options.onError('request failed', thrown);
    sendMaaError(reply, error, request.id);
  });
  server.setNotFoundHandler((request, reply) =>
    sendMaaError(
      reply,
      new MaaError(404, 'NotFound', 'There is nothing at this address.', 'NOT_FOUND'),
      request.id,
    ),
  );

  const tenantOf = (request: FastifyRequest): { tenant: MaaTenant; keys: TokenKeys } => {
    const tenant = tenants.at(request.headers.host);
    const own = tenant && keys.get(tenant.name);
    if (tenant === undefined || own === undefined)
      throw new MaaError(404, 'NotFound', 'This host name belongs to no tenant.', 'TENANT_UNKNOWN');
    return { tenant, keys: own };
  };
  const kindOf = (name: string): AttestationKind => {
    const kind = attestationKind(name);
    if (kind === undefined)
      throw MaaError.invalid('This kind of attestation is not served here.', 'EVIDENCE_UNSUPPORTED');
    return kind;
  };
  const answer = (reply: FastifyReply, body: object, requestId: string, cache = 'no-store') =>
    reply
      .headers({
        'content-type': JSON_TYPE,
        'cache-control': cache,
        'x-ms-request-id': requestId,
        'x-ms-maa-service-version': SERVICE_VERSION,
      })
      .send(JSON.stringify(body));

  let inFlight = 0;
  server.post<{ Params: { kind: string } }>('/attest/:kind', async (request, reply) => {
    const kind = kindOf(request.params.kind);
    const to = tenantOf(request);
    if (inFlight >= options.maxInFlight)
      throw MaaError.unavailable('Too many requests are in work.', 'OVERLOADED');
    inFlight++;
    const started = performance.now();
    try {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const { token, event } = await attestation.attest({
        ...to,
        kind,
        apiVersion: apiVersion(request),
        body,
      });
      metrics.attested(kind, 'issued', performance.now() - started);
      return answer(reply, { token }, event);
    } catch (error) {
      metrics.attested(kind, asMaaError(error).code, performance.now() - started);
      throw error;
    } finally {
      inFlight--;
    }
  });
  server.get('/certs', (request, reply) => {
    const published = tenantOf(request).keys.published.map(({ jwk }) => jwk);
    // Clients ask for application/jwk+json, and the SDK then parses only what is called application/json.
    return answer(reply, { keys: published }, request.id, CACHED);
  });
  server.get('/.well-known/openid-configuration', (request, reply) =>
    answer(reply, openIdConfiguration(tenantOf(request).tenant), request.id, CACHED),
  );
  server.get<{ Params: { kind: string } }>('/policies/:kind', async (request, reply) => {
    const kind = kindOf(request.params.kind);
    const { tenant, keys: own } = tenantOf(request);
    const policy = tenant.policies.get(kind);
    if (policy === undefined) throw new Error(`no policy for ${kind}`);
    return answer(reply, { token: await policyDocument(tenant, policy, own, clock()) }, request.id);
  });
  server.get('/certificates', async (request, reply) => {
    const { tenant, keys: own } = tenantOf(request);
    return answer(reply, { token: await policySigners(tenant, own, clock()) }, request.id);
  });
  const readOnly = (): never => {
    throw new MaaError(
      403,
      'InvalidOperation',
      "Policies and their signers are the operator's configuration; they are not changed over this API.",
      'READ_ONLY',
    );
  };
  server.put('/policies/:kind', readOnly);
  server.post('/policies/:operation', readOnly);
  server.post('/certificates*', readOnly);
  return server;
}

function apiVersion({ query }: FastifyRequest): string | undefined {
  const found = Object.entries(query as Record<string, unknown>).find(
    ([name]) => name.toLowerCase() === 'api-version',
  );
  const value = found?.[1];
  return typeof value === 'string' && API_VERSION.test(value) ? value : undefined;
}

/** Bytes that are no HTTP request. */
function answerBroken(socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = errorBody({
    code: 'InvalidParameter',
    message: 'This is no HTTP request.',
    inner: 'REQUEST_MALFORMED',
  });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
