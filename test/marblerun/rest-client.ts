import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';

/** A client certificate and its key, PEM. */
export interface ClientIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  readonly identity?: ClientIdentity | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly localAddress?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** DER of the certificate that the server presented. */
  readonly serverCertificate: Buffer;
}

/** One request over a connection of its own, as MarbleRun's command line makes them with `--insecure`. */
export function call(
  port: number,
  host: string,
  { method, path, body, identity, headers = {}, localAddress }: Exchange,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const agent = new Agent({ keepAlive: false });
    const sent = request(
      {
        agent,
        port,
        host: '127.0.0.1',
        servername: host,
        ...(localAddress === undefined ? {} : { localAddress }),
        method,
        path,
        rejectUnauthorized: false,
        headers: {
          host,
          ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          ...headers,
        },
        ...identity,
      },
      (response) => {
        const { raw } = (response.socket as TLSSocket).getPeerX509Certificate()!;
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
            serverCertificate: raw,
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
