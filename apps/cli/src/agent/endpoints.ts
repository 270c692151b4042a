import { Agent, request } from 'node:https';
import { rootCertificates } from 'node:tls';
import { fromPem, toPem } from '#pki';
import { AgentError } from './agent-error.js';

export interface EndpointAnswer {
  readonly status: number;
  readonly text: string;
}

const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 1024 * 1024;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::\d{1,5})?$/;

/** The services that requests name, reached over TLS that the given authorities certify. */
export class Endpoints {
  private readonly agent: Agent;

  /** @param authorities PEM; the system's where absent @param allowed hosts that may be named; any where empty */
  constructor(
    private readonly authorities: string | undefined,
    private readonly allowed: ReadonlySet<string>,
  ) {
    this.agent = new Agent({
      keepAlive: true,
      maxSockets: 16,
      ...(authorities === undefined ? {} : { ca: authorities }),
    });
  }

  /** The roots to which certificates of answers must chain, as PEM each. */
  get roots(): readonly string[] {
    if (this.authorities === undefined) return rootCertificates;
    return (fromPem('CERTIFICATE', this.authorities) ?? []).map((der) => toPem('CERTIFICATE', der));
  }

  /**
   * The host of a request, as the sidecar takes it: a name, perhaps with a port; a scheme before it and a slash behind it are forgiven.
   * @throws AgentError REQUEST_MALFORMED, ENDPOINT_REFUSED
   */
  host(named: string): string {
    const host = named
      .replace(/^https:\/\//i, '')
      .replace(/\/$/, '')
      .toLowerCase();
    if (!HOST.test(host))
      throw new AgentError('REQUEST_MALFORMED', 'an endpoint is a host name, perhaps with a port');
    if (this.allowed.size > 0 && !this.allowed.has(host))
      throw new AgentError('ENDPOINT_REFUSED', `${host} is none of the endpoints of this agent`);
    return host;
  }

  /** @throws AgentError ENDPOINT_UNREACHABLE */
  post(
    host: string,
    path: string,
    body: object,
    headers: Record<string, string> = {},
  ): Promise<EndpointAnswer> {
    const unreachable = (message: string): AgentError =>
      new AgentError('ENDPOINT_UNREACHABLE', `${host}: ${message}`);
    const payload = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request(`https://${host}${path}`, {
        method: 'POST',
        agent: this.agent,
        timeout: TIMEOUT_MS,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          ...headers,
        },
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
      outgoing.on('error', (error) => reject(unreachable(error.message)));
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too large'));
          else chunks.push(chunk);
        });
        response.on('error', (error) => reject(unreachable(error.message)));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
        );
      });
      outgoing.end(payload);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** Code and message of an error in the shape of Azure's services, for the caller. */
export function azureError({ status, text }: EndpointAnswer): string {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    if (typeof error?.code === 'string')
      return `${status} ${error.code}: ${String(error.message ?? '').slice(0, 500)}`;
  } catch {
    // Not in that shape.
  }
  return `status ${status}`;
}
