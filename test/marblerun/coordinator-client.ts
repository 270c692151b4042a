import { request } from 'node:https';

export interface CoordinatorAnswer {
  readonly status: number;
  readonly body: { readonly status: string; readonly data: unknown; readonly message?: string };
}

/** The client API as the CLI calls it: HTTP/1.1, the server's certificate not verified (`--insecure`). */
export class CoordinatorClient {
  constructor(
    readonly port: number,
    /** Name in the TLS handshake and Host. */
    private readonly host = 'localhost',
  ) {}

  call(
    method: string,
    path: string,
    body?: unknown,
    identity: { readonly cert?: string; readonly key?: string } = {},
  ): Promise<CoordinatorAnswer> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          servername: this.host,
          headers: { host: `${this.host}:${this.port}` },
          rejectUnauthorized: false,
          agent: false,
          timeout: 20_000,
          ...identity,
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => {
            try {
              resolve({
                status: response.statusCode ?? 0,
                body: JSON.parse(text) as CoordinatorAnswer['body'],
              });
            } catch (error) {
              reject(error as Error);
            }
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer')));
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** @throws Error unless the answer is 200 */
  async done(...args: Parameters<CoordinatorClient['call']>): Promise<unknown> {
    const { status, body } = await this.call(...args);
    if (status !== 200) throw new Error(`${args[0]} ${args[1]}: ${status} ${JSON.stringify(body)}`);
    return body.data;
  }

  setManifest(manifest: string | Buffer | object): Promise<unknown> {
    const raw =
      typeof manifest === 'string' || Buffer.isBuffer(manifest) ? manifest : JSON.stringify(manifest);
    return this.done('POST', '/api/v2/manifest', { manifest: Buffer.from(raw).toString('base64') });
  }
}
