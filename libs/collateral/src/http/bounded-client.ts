import { getCACertificates } from 'node:tls';
import { Agent, request, type Dispatcher } from 'undici';
import { SourceError } from '../sources/collateral-source.js';

/** Largest body of any collateral: a PCK CRL of ten thousand entries as hex. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
/** Percent-encoded chains of three certificates travel in a header. */
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_REDIRECTS = 2;
const MAX_RETRY_AFTER_SECONDS = 3_600;

export interface HttpAnswer {
  readonly body: Buffer;
  /** A header by its lower-case name; undefined where absent or given more than once. */
  header(name: string): string | undefined;
}

export interface ClientOptions {
  readonly timeoutMs: number;
  /** Further CAs, PEM. The system's remain. */
  readonly extraCa?: string;
}

/**
 * GET with limits on time and size. The host is always one of the configuration: redirects are followed only within the same
 * origin, and no address is ever taken from a certificate. Certificates of servers are always checked.
 */
export class BoundedClient {
  private readonly agent: Agent;

  constructor(
    private readonly source: string,
    private readonly options: ClientOptions,
  ) {
    this.agent = new Agent({
      connections: 8,
      pipelining: 1,
      maxHeaderSize: MAX_HEADER_BYTES,
      maxResponseSize: MAX_BODY_BYTES,
      headersTimeout: options.timeoutMs,
      bodyTimeout: options.timeoutMs,
      connect: {
        timeout: options.timeoutMs,
        ...(options.extraCa === undefined ? {} : { ca: [...getCACertificates('default'), options.extraCa] }),
      },
    });
  }

  async get(
    address: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    // The timeouts of the agent are per phase; this one is for the whole exchange, so that a trickle ends as well.
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.options.timeoutMs)]);
    let url = new URL(address);
    for (let redirects = 0; ; redirects++) {
      const response = await this.send(url, headers, deadline);
      const { statusCode } = response;
      if (statusCode >= 300 && statusCode < 400) {
        await response.body.dump();
        url = this.redirected(url, response, redirects);
        continue;
      }
      if (statusCode !== 200) {
        await response.body.dump().catch(() => undefined);
        throw this.refusal(url, response);
      }
      const body = await this.read(url, response, deadline);
      return { body, header: (name) => single(response.headers[name]) };
    }
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async send(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    try {
      return await request(url, {
        dispatcher: this.agent,
        method: 'GET',
        headers: { accept: '*/*', 'user-agent': 'siegel', ...headers },
        signal,
      });
    } catch (error) {
      throw this.failure(url, error);
    }
  }

  private async read(url: URL, response: Dispatcher.ResponseData, signal: AbortSignal): Promise<Buffer> {
    const declared = Number(single(response.headers['content-length']) ?? '0');
    if (declared > MAX_BODY_BYTES) {
      response.body.destroy();
      throw new SourceError(this.source, 'too-large', `${url.pathname}: ${declared} bytes announced`);
    }
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_BODY_BYTES)
          throw new SourceError(
            this.source,
            'too-large',
            `${url.pathname}: more than ${MAX_BODY_BYTES} bytes`,
          );
        chunks.push(chunk);
      }
      signal.throwIfAborted();
    } catch (error) {
      throw error instanceof SourceError ? error : this.failure(url, error);
    }
    return Buffer.concat(chunks, size);
  }

  private redirected(from: URL, response: Dispatcher.ResponseData, redirects: number): URL {
    const location = single(response.headers['location']);
    let to: URL | undefined;
    try {
      to = location === undefined ? undefined : new URL(location, from);
    } catch {
      to = undefined;
    }
    if (to === undefined || to.origin !== from.origin)
      throw new SourceError(this.source, 'redirected', `${from.pathname}: redirects to another host`);
    if (redirects >= MAX_REDIRECTS)
      throw new SourceError(this.source, 'redirected', `${from.pathname}: too many redirects`);
    return to;
  }

  private refusal(url: URL, response: Dispatcher.ResponseData): SourceError {
    const { statusCode } = response;
    const retryAfterSeconds = retryAfter(single(response.headers['retry-after']));
    const what = `${url.pathname}: HTTP ${statusCode}`;
    if (statusCode === 404 || statusCode === 410) return new SourceError(this.source, 'not-found', what);
    if (statusCode === 429) return new SourceError(this.source, 'throttled', what, { retryAfterSeconds });
    if (statusCode >= 500) return new SourceError(this.source, 'server-error', what, { retryAfterSeconds });
    return new SourceError(this.source, 'refused', what);
  }

  private failure(url: URL, cause: unknown): SourceError {
    const { name, code, message } = cause as { name?: string; code?: string; message?: string };
    const timedOut =
      name === 'TimeoutError' ||
      name === 'AbortError' ||
      (code?.startsWith('UND_ERR_') && code.endsWith('_TIMEOUT'));
    if (timedOut)
      return new SourceError(this.source, 'timeout', `${url.pathname}: no answer in time`, { cause });
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
      return new SourceError(this.source, 'too-large', `${url.pathname}: more than ${MAX_BODY_BYTES} bytes`, {
        cause,
      });
    return new SourceError(
      this.source,
      'unreachable',
      `${url.pathname}: ${code ?? message?.slice(0, 200) ?? 'failed'}`,
      { cause },
    );
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** RFC 9110 §10.2.3: seconds or a date. */
export function retryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - now) / 1_000);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MAX_RETRY_AFTER_SECONDS) : undefined;
}
