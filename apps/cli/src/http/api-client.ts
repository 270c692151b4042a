import type { Agent, Dispatcher } from 'undici';
import { CliError } from '../failure/cli-error.js';
import { answerOf, transportFailure } from './answers.js';

export interface ApiClientOptions {
  /** For messages, e.g. `key-release`. */
  readonly service: string;
  readonly baseUrl: string;
  /** Longest wait for one whole answer, in milliseconds. */
  readonly timeoutMs: number;
  /** PEM of the CAs to trust instead of the system's. */
  readonly caPem?: string;
  readonly token?: string;
  /** Certificate and private key of the client, PEM. */
  readonly client?: ClientIdentity;
}

/** What a client shows of itself in TLS, PEM. */
export interface ClientIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface ApiRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly body?: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON; undefined for an empty body. */
  readonly body: unknown;
}

/** The largest answer that is read into memory, in bytes. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/**
 * One service's HTTP API: bounded answers, one deadline per request, and every failure as a CliError that says what to
 * do. Nothing is retried: a person or a script decides that.
 */
export class ApiClient {
  readonly service: string;
  readonly baseUrl: string;
  private agent: Agent | undefined;

  constructor(private readonly options: ApiClientOptions) {
    this.service = options.service;
    this.baseUrl = options.baseUrl.replace(/\/+$/, '');
  }

  /** Sends a request and reads its JSON answer; an answer that is not 2xx is thrown as the service's own error. */
  async json(path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const answer = await this.exchange(path, request);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw answerOf(this.service, answer);
  }

  /** The text of a 200 answer, whatever its type; anything else is thrown as the service's own error. */
  async text(path: string): Promise<string> {
    return (await this.bytes(path)).toString('utf8');
  }

  /** As {@link text}, the bytes. */
  async bytes(path: string): Promise<Buffer> {
    const signal = AbortSignal.timeout(this.options.timeoutMs);
    try {
      const { statusCode, headers, body } = await this.send(path, { headers: { accept: '*/*' } }, signal);
      const bytes = await readBytes(body, this.service);
      if (statusCode === 200) return bytes;
      const text = bytes.toString('utf8');
      throw answerOf(this.service, { status: statusCode, headers, body: parse(text, headers, this.service) });
    } catch (error) {
      throw transportFailure(error, this.service, this.baseUrl);
    }
  }

  /** As {@link json}, but any status is an answer. */
  async exchange(path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const signal = AbortSignal.timeout(this.options.timeoutMs);
    try {
      const { statusCode, headers, body } = await this.send(path, request, signal);
      const text = await readBody(body, this.service);
      return { status: statusCode, headers, body: parse(text, headers, this.service) };
    } catch (error) {
      throw transportFailure(error, this.service, this.baseUrl);
    }
  }

  /** Opens a stream; only the wait for its head has a deadline. Aborts with `signal`. */
  async stream(
    path: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const opening = new AbortController();
    const timer = setTimeout(
      () => opening.abort(new DOMException('', 'TimeoutError')),
      this.options.timeoutMs,
    );
    try {
      const response = await this.send(path, { headers }, AbortSignal.any([signal, opening.signal]), true);
      if (response.statusCode === 200) return response;
      const text = await readBody(response.body, this.service);
      const body = parse(text, response.headers, this.service);
      throw answerOf(this.service, { status: response.statusCode, headers: response.headers, body });
    } catch (error) {
      throw transportFailure(error, this.service, this.baseUrl);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    await this.agent?.destroy();
  }

  private async send(
    path: string,
    { method = 'GET', body, contentType, headers = {} }: ApiRequest,
    signal: AbortSignal,
    endless = false,
  ): Promise<Dispatcher.ResponseData> {
    const undici = await import('undici');
    this.agent ??= new undici.Agent({
      connect: {
        timeout: this.options.timeoutMs,
        ...(this.options.caPem ? { ca: this.options.caPem } : {}),
        ...this.options.client,
      },
      connections: 4,
    });
    return undici.request(`${this.baseUrl}${path}`, {
      dispatcher: this.agent,
      method,
      signal,
      headersTimeout: this.options.timeoutMs,
      bodyTimeout: endless ? 0 : this.options.timeoutMs,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(this.options.token === undefined ? {} : { authorization: `Bearer ${this.options.token}` }),
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
  }
}

const readBody = async (body: Dispatcher.ResponseData['body'], service: string): Promise<string> =>
  (await readBytes(body, service)).toString('utf8');

async function readBytes(body: Dispatcher.ResponseData['body'], service: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) {
      throw CliError.of(
        'SERVICE_ANSWER_INVALID',
        `${service} answered with more than ${MAX_ANSWER_BYTES} bytes.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(text: string, headers: ApiAnswer['headers'], service: string): unknown {
  if (text === '') return undefined;
  const type = String(headers['content-type'] ?? '');
  try {
    if (/^application\/([a-z.-]+\+)?json\b/.test(type)) return JSON.parse(text);
  } catch (error) {
    throw CliError.of('SERVICE_ANSWER_INVALID', `${service} answered with broken JSON.`, { cause: error });
  }
  throw CliError.of(
    'SERVICE_ANSWER_INVALID',
    `${service} answered with ${type || 'an unnamed type'}, not with JSON.`,
  );
}
