import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface KbsAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Cookie {
  readonly value: string;
  readonly path: string;
  readonly expires: number;
  readonly secure: boolean;
}

/** The connections of one or many clients to one service. */
export class KbsTransport {
  private readonly agent: HttpAgent | HttpsAgent;

  constructor(
    readonly url: string,
    ca?: string,
    maxSockets = 64,
  ) {
    const options = { keepAlive: true, maxSockets };
    this.agent = url.startsWith('https:')
      ? new HttpsAgent({ ...options, ...(ca === undefined ? {} : { ca }) })
      : new HttpAgent(options);
  }

  send(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: string | Buffer,
  ): Promise<KbsAnswer> {
    const request = this.url.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const outgoing = request(
        `${this.url}${path}`,
        { method, agent: this.agent, timeout: 60_000, headers: { accept: '*/*', ...headers, ...length } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          );
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 60 s')));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** What the real client's HTTP library does around a request: its user agent, and a jar that obeys the cookies' attributes. */
export class KbsConnection {
  private readonly jar = new Map<string, Cookie>();

  constructor(
    private readonly transport: KbsTransport,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async call(
    method: string,
    path: string,
    options: { body?: string | Buffer; contentType?: string; bearer?: string } = {},
  ): Promise<KbsAnswer> {
    const { body, contentType = 'application/json', bearer } = options;
    const cookie = this.cookies(path);
    const answer = await this.transport.send(
      method,
      path,
      {
        'user-agent': 'attestation-agent-kbs-client/0.1.0',
        ...(body === undefined ? {} : { 'content-type': contentType }),
        ...(cookie === '' ? {} : { cookie }),
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...this.headers,
      },
      body,
    );
    for (const line of answer.headers['set-cookie'] ?? []) this.keep(line, path);
    return answer;
  }

  /** The session's cookie, to be shown by somebody else. */
  get session(): string {
    return this.jar.get('kbs-session-id')?.value ?? '';
  }

  /** Shows a cookie that another connection was given. */
  borrow(session: string): this {
    this.keep(`kbs-session-id=${session}; Path=/kbs/v0`, '/');
    return this;
  }

  private cookies(path: string): string {
    const secure = this.transport.url.startsWith('https:');
    return [...this.jar]
      .filter(([, cookie]) => path.startsWith(cookie.path) && cookie.expires > Date.now())
      .filter(([, cookie]) => secure || !cookie.secure)
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  private keep(line: string, requestPath: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const of = (name: string) =>
      attributes.find((each) => each.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
    this.jar.set(pair.slice(0, at), {
      value: pair.slice(at + 1),
      // RFC 6265 §5.1.4.
      path: of('path') ?? (requestPath.slice(0, requestPath.lastIndexOf('/')) || '/'),
      expires: of('expires') === undefined ? Infinity : Date.parse(of('expires')!),
      secure: attributes.some((each) => each.toLowerCase() === 'secure'),
    });
  }
}
