import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { AgentError } from './agent-error.js';
import { attestationToken, reportDataOf } from './attestation.js';
import type { Endpoints } from './endpoints.js';
import type { EvidenceProvider } from './evidence-provider.js';
import { releaseKey } from './key-release.js';

const MAX_BODY_BYTES = 128 * 1024;
const MAX_CONNECTIONS = 64;
const MAX_IN_WORK = 16;
const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

const runtime_data = z.string().min(1);
const RawRequest = z.object({ runtime_data });
const MaaRequest = z.object({ maa_endpoint: z.string().min(1), runtime_data });
const ReleaseRequest = z.object({
  maa_endpoint: z.string().min(1),
  akv_endpoint: z.string().min(1),
  kid: z.string().min(1),
  access_token: z.string().max(16_384).optional(),
});

export interface AgentParts {
  readonly provider: EvidenceProvider;
  readonly endpoints: Endpoints;
  /** One line per request that failed; never a key, a token or data. */
  readonly say: (text: string) => void;
}

/** The secure-key-release sidecar's HTTP API: its routes, members, statuses, and the key as JSON in a string. */
export function agentServer(parts: AgentParts): Server {
  let inWork = 0;
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    const over = inWork >= MAX_IN_WORK;
    inWork++;
    handle(parts, request, over)
      .then((answer) => send(response, 200, answer))
      .catch((error: unknown) => {
        const known =
          error instanceof AgentError
            ? error
            : new AgentError('EVIDENCE_UNAVAILABLE', 'the agent itself failed');
        parts.say(`${request.method} ${pathOf(request)}: ${known.code}: ${known.message}`);
        send(response, known.status, { error: known.message, code: known.code });
      })
      .finally(() => inWork--);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return server;
}

async function handle(parts: AgentParts, request: IncomingMessage, over: boolean): Promise<object> {
  // A page in a browser reaches loopback by a name of its own; what is addressed to us is called loopback.
  const host = request.headers.host?.replace(/:\d{1,5}$/, '').toLowerCase() ?? '';
  if (!LOOPBACK_HOSTS.has(host)) throw new AgentError('HOST_REFUSED', 'this agent answers on loopback');
  const route = `${request.method} ${pathOf(request)}`;
  if (route === 'GET /status') return { message: 'Status OK' };
  if (over) throw new AgentError('OVERLOADED', 'too many requests are in work');
  switch (route) {
    case 'POST /attest/raw':
      return raw(parts, await body(request, RawRequest));
    case 'POST /attest/maa':
      return maa(parts, await body(request, MaaRequest));
    case 'POST /key/release':
      return release(parts, await body(request, ReleaseRequest));
    default:
      throw new AgentError('NOT_FOUND', 'there is nothing at this address');
  }
}

async function raw({ provider }: AgentParts, { runtime_data: data }: z.output<typeof RawRequest>) {
  return { report: (await provider.quote(reportDataOf(bytes(data)))).toString('hex') };
}

async function maa({ provider, endpoints }: AgentParts, asked: z.output<typeof MaaRequest>) {
  const host = endpoints.host(asked.maa_endpoint);
  return { token: await attestationToken(provider, endpoints, host, bytes(asked.runtime_data)) };
}

async function release({ provider, endpoints }: AgentParts, asked: z.output<typeof ReleaseRequest>) {
  const key = await releaseKey(provider, endpoints, {
    maa: endpoints.host(asked.maa_endpoint),
    akv: endpoints.host(asked.akv_endpoint),
    kid: asked.kid,
    accessToken: asked.access_token === '' ? undefined : asked.access_token,
  });
  return { key: JSON.stringify(key) };
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?')[0]!.slice(0, 64);

/** Standard base64, as the sidecar's clients send it. */
function bytes(text: string): Buffer {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0)
    throw new AgentError('REQUEST_MALFORMED', 'decoding base64-encoded runtime data of request failed');
  return Buffer.from(text, 'base64');
}

async function body<T extends z.ZodType>(request: IncomingMessage, schema: T): Promise<z.output<T>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new AgentError('REQUEST_TOO_LARGE', 'the request is too large');
    chunks.push(chunk);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new AgentError('REQUEST_MALFORMED', 'invalid request format: not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AgentError(
    'REQUEST_MALFORMED',
    `invalid request format: ${issue?.path.map(String).join('.') || 'body'}: ${issue?.message ?? ''}`,
  );
}

function send(response: ServerResponse, status: number, answer: object): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(answer);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    // A body that was not read to its end must not become the next request.
    ...(status === 413 ? { connection: 'close' } : {}),
  });
  response.end(text);
}
