import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';

export interface JsonAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
  readonly text: string;
}

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

/** A small HTTPS client that trusts one CA: what an enclave has at boot. */
export class HttpsJson {
  private readonly agent: Agent;

  constructor(
    private readonly base: string,
    ca: string,
    maxSockets = 64,
  ) {
    this.agent = new Agent({ ca, keepAlive: true, maxSockets });
  }

  call(
    method: string,
    path: string,
    options: { headers?: Record<string, string>; body?: string | Buffer } = {},
  ): Promise<JsonAnswer> {
    return new Promise((resolve, reject) => {
      const { body, headers = {} } = options;
      const outgoing = request(
        `${this.base}${path}`,
        {
          method,
          agent: this.agent,
          timeout: TIMEOUT_MS,
          headers: {
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too large'));
            else chunks.push(chunk);
          });
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parse(text), text });
          });
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS / 1_000} s`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  post(path: string, json: unknown, headers: Record<string, string> = {}): Promise<JsonAnswer> {
    return this.call('POST', path, {
      body: JSON.stringify(json),
      headers: { 'content-type': 'application/json', ...headers },
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
