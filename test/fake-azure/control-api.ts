import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import type { FakeAzure } from './fake-azure.js';
import { readBody, send } from './http-exchange.js';
import type { WireResponse } from './wire.js';

const Effect = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('throttle'),
    retryAfterSeconds: z.number().nonnegative().exactOptional(),
  }),
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(400).max(599),
    code: z.string().exactOptional(),
    innerCode: z.string().exactOptional(),
    message: z.string().exactOptional(),
  }),
  z.strictObject({ kind: z.enum(['firewall', 'rbac', 'reset', 'truncate', 'garbage', 'cae']) }),
  z.strictObject({ kind: z.literal('delay'), ms: z.number().nonnegative().max(600_000) }),
]);
const Rule = z.strictObject({
  effect: Effect,
  action: z.string().exactOptional(),
  vault: z.string().exactOptional(),
  path: z.string().max(200).exactOptional(),
  times: z.int().positive().exactOptional(),
  after: z.int().nonnegative().exactOptional(),
});
const ClockChange = z.union([
  z.strictObject({ advanceSeconds: z.number() }),
  z.strictObject({ set: z.iso.datetime() }),
  z.strictObject({ reset: z.literal(true) }),
]);
const Projection = z.strictObject({
  subject: z.string().exactOptional(),
  audience: z.string().exactOptional(),
  expiresInSeconds: z.int().exactOptional(),
});

const METADATA = /^\/metadata\/identity\/oauth2\/token\/?$/;

/** Plain HTTP on loopback: the instance metadata service, and `/control` to script the fake from other processes. */
export class ControlApi {
  constructor(private readonly fake: FakeAzure) {}

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const body = await readBody(request);
    if (METADATA.test(url.pathname)) return this.serveMetadata(request, response, url);
    let answer: WireResponse;
    try {
      answer = this.control(
        `${request.method ?? ''} ${url.pathname}`,
        body.length === 0 ? {} : JSON.parse(body.toString()),
      );
    } catch (error) {
      const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
      answer = { status: 400, body: { error: message } };
    }
    send(response, answer);
  }

  private serveMetadata(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const [effect] = this.fake.faults.take({ action: 'imds', vault: '', path: url.pathname });
    if (effect?.kind === 'reset') return void request.socket.resetAndDestroy();
    const answer: WireResponse =
      effect?.kind === 'status'
        ? {
            status: effect.status,
            body: {
              error: effect.code ?? 'server_error',
              error_description: effect.message ?? 'Scripted fault.',
            },
          }
        : this.metadata(request, url);
    const at = Date.now();
    const { pathname: path } = url;
    this.fake.log.add({
      at,
      requestId: '',
      method: 'GET',
      host: url.host,
      path,
      action: 'imds',
      status: answer.status,
    });
    send(response, answer);
  }

  private metadata(request: IncomingMessage, url: URL): WireResponse {
    const refuse = (description: string): WireResponse => ({
      status: 400,
      body: { error: 'invalid_request', error_description: description },
    });
    // The header keeps requests out that a web page or a confused server was made to send.
    if (request.headers['metadata'] !== 'true') return refuse('Required metadata header not specified');
    const resource = url.searchParams.get('resource')?.replace(/\/$/, '');
    if (url.searchParams.get('api-version') === null || !resource)
      return refuse('api-version and resource are required');
    const clientId = url.searchParams.get('client_id') ?? undefined;
    const issued = this.fake.entra.managedToken(clientId, resource);
    if (issued === undefined) return refuse('Identity not found');
    const expiresOn = Math.floor(Date.now() / 1000) + issued.expiresIn;
    return {
      status: 200,
      body: {
        access_token: issued.token,
        client_id: clientId ?? '',
        expires_in: String(issued.expiresIn),
        expires_on: String(expiresOn),
        resource,
        token_type: 'Bearer',
      },
    };
  }

  private control(call: string, body: unknown): WireResponse {
    const { faults, log, clock, entra } = this.fake;
    const done: WireResponse = { status: 200, body: { ok: true } };
    switch (call) {
      case 'POST /control/faults':
        faults.add(Rule.parse(body));
        return done;
      case 'DELETE /control/faults':
        faults.clear();
        return done;
      case 'POST /control/clock': {
        const change = ClockChange.parse(body);
        if ('advanceSeconds' in change) clock.advance(change.advanceSeconds * 1_000);
        else if ('set' in change) clock.set(new Date(change.set));
        else clock.reset();
        return { status: 200, body: { now: new Date(clock.now()).toISOString() } };
      }
      case 'GET /control/requests':
        return { status: 200, body: { requests: log.all() } };
      case 'DELETE /control/requests':
        log.clear();
        return done;
      case 'GET /control/releases':
        return { status: 200, body: { releases: this.fake.releases } };
      case 'POST /control/projected-token': {
        const { subject, audience, expiresInSeconds } = Projection.parse(body);
        const federated = this.fake.options.principals?.find(
          (each) => each.federatedSubject !== undefined,
        )?.federatedSubject;
        const options = {
          ...(audience === undefined ? {} : { audience }),
          ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }),
        };
        return {
          status: 200,
          body: {
            token: entra.projectToken(
              subject ?? federated ?? 'system:serviceaccount:siegel:key-release',
              options,
            ),
          },
        };
      }
      default:
        return { status: 404, body: { error: `no such control call: ${call}` } };
    }
  }
}
