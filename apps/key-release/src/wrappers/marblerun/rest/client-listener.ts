import { startListening } from '#platform';
import type { Readable } from 'node:stream';
import { constants } from 'node:crypto';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { CertifiedKey } from '../interface.js';
import type { Coordinator } from '../state/coordinator.js';
import type { CoordinatorRegistry } from '../state/registry.js';
import type { ApiContext } from './api-request.js';
import type { ApiRouter } from './api-router.js';
import { type ApiResponse, error, METHOD_NOT_ALLOWED } from './envelope.js';
import { BodyTimeout, BodyTooLarge, readWholeBody } from './request-body.js';

/** A manifest in base64 within JSON. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const DRAIN_MS = 5_000;

export interface ClientListenerOptions {
  readonly timeoutMs: number;
  readonly maxConnections: number;
}

/**
 * The HTTPS server of MarbleRun's client API, HTTP/1.1 and HTTP/2. Each deployment is served with its own root certificate, chosen by
 * server name; clients may present any certificate, whose key the handshake proves and whose worth the deployment judges.
 */
export class ClientListener {
  private readonly contexts = new WeakMap<CertifiedKey, SecureContext>();
  private readonly server: Http2SecureServer;
  private readonly open = new Set<TLSSocket>();
  /** What connections without a server name are shown. */
  private shown: CertifiedKey | undefined;

  constructor(
    private readonly registry: CoordinatorRegistry,
    private readonly router: ApiRouter,
    private readonly contextOf: (coordinator: Coordinator) => ApiContext,
    private readonly options: ClientListenerOptions,
  ) {
    this.server = createSecureServer(
      {
        allowHTTP1: true,
        ...this.defaultIdentity(),
        minVersion: 'TLSv1.2',
        honorCipherOrder: true,
        // No `ca`: its names in the handshake would keep Go clients from presenting self-signed certificates.
        requestCert: true,
        rejectUnauthorized: false,
        // A resumed session would come with the certificate of an earlier handshake.
        secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
        handshakeTimeout: options.timeoutMs,
        SNICallback: (name, done) => {
          const coordinator = registry.byHost(name);
          if (coordinator) done(null, this.secureContext(coordinator.authority.root));
          else done(new Error('no deployment has this name'));
        },
        settings: { maxConcurrentStreams: 64 },
      },
      (request, response) => void this.serve(request, response),
    );
    this.server.maxConnections = options.maxConnections;
    this.server.setTimeout(options.timeoutMs * 3);
    // An answer that takes its time (keys are being made) is no idle connection.
    this.server.on('timeout', (idle: TLSSocket | ServerHttp2Session) => {
      const socket = 'goaway' in idle ? (idle.socket as TLSSocket) : idle;
      if (!busy.has(socket)) idle.destroy();
    });
    // Of its HTTP/1.1 side, which its types do not show.
    Object.assign(this.server, { headersTimeout: options.timeoutMs, requestTimeout: options.timeoutMs * 3 });
    this.server.on('secureConnection', (socket: TLSSocket) => {
      this.open.add(socket);
      socket.on('close', () => this.open.delete(socket)).on('error', () => undefined);
    });
    this.server.on('tlsClientError', (_error, socket) => socket.destroy());
    this.server.on('sessionError', () => undefined);
  }

  /** @returns the port, which may be the system's choice (0). @throws the error of listening */
  listen(port: number, host: string): Promise<number> {
    return startListening(this.server, port, host);
  }

  get listening(): boolean {
    return this.server.listening;
  }

  /** No new connections; what is under way gets a few seconds. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const late = setTimeout(() => this.open.forEach((socket) => socket.destroy()), DRAIN_MS);
    for (const socket of this.open) if (!busy.has(socket)) socket.destroy();
    await closed;
    clearTimeout(late);
  }

  private async serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const socket = connectionOf(request);
    busy.add(socket);
    try {
      const answer = await this.answer(request, socket);
      respond(request, response, answer);
    } catch {
      // The client is gone, or sent no body in time: there is nobody to answer.
      socket.destroy();
    } finally {
      busy.delete(socket);
      this.refreshDefault();
    }
  }

  private async answer(request: Http2ServerRequest, socket: TLSSocket): Promise<ApiResponse> {
    const coordinator = this.addressee(request, socket);
    if (!coordinator) return error(421, 'this host is not served on this connection');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://host.invalid');
    const method = request.method ?? '';
    if (!this.router.knows(method, pathname)) return METHOD_NOT_ALLOWED;
    let body: Buffer;
    try {
      body =
        method === 'GET'
          ? Buffer.alloc(0)
          : await readWholeBody(request as unknown as Readable, MAX_BODY_BYTES, this.options.timeoutMs);
    } catch (failed) {
      if (failed instanceof BodyTooLarge) return error(413, `the body has ${failed.message}`);
      if (failed instanceof BodyTimeout) return error(408, failed.message);
      throw failed;
    }
    return this.router.answer(
      {
        method,
        path: pathname,
        query: searchParams,
        body,
        // Taken from the handshake, of this very connection.
        certificate: socket.getPeerX509Certificate?.()?.raw,
        authorization: request.headers.authorization,
        source: socket.remoteAddress ?? '',
      },
      this.contextOf(coordinator),
    );
  }

  /** The deployment of the authority, if it is also that of the server name under which the connection was made. */
  private addressee(request: Http2ServerRequest, socket: TLSSocket): Coordinator | undefined {
    const authority = request.headers[':authority'] ?? request.headers.host;
    const coordinator = this.registry.byHost(authority);
    const named = socket.servername ? this.registry.byHost(socket.servername) : coordinator;
    return named === coordinator ? coordinator : undefined;
  }

  private secureContext(root: CertifiedKey): SecureContext {
    const known = this.contexts.get(root);
    if (known) return known;
    const context = createSecureContext(tlsIdentity(root));
    this.contexts.set(root, context);
    return context;
  }

  private defaultIdentity(): { key?: string; cert?: string } {
    const fallback = this.registry.byHost(undefined);
    this.shown = fallback?.authority.root;
    return this.shown ? tlsIdentity(this.shown) : {};
  }

  /** The default deployment may be another one after a recovery: connections without a server name must see its root. */
  private refreshDefault(): void {
    const root = this.registry.byHost(undefined)?.authority.root;
    if (!root || root === this.shown) return;
    this.shown = root;
    this.server.setSecureContext(tlsIdentity(root));
  }
}

/** Connections that an answer is being made on. */
const busy = new WeakSet<TLSSocket>();

const tlsIdentity = (root: CertifiedKey) => ({
  cert: root.pem,
  key: root.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
});

/** Of HTTP/2, the connection below the stream; of HTTP/1.1, the socket. */
function connectionOf(request: Http2ServerRequest): TLSSocket {
  const session = request.stream?.session;
  return (session ? session.socket : request.socket) as TLSSocket;
}

function respond(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  { status, headers, body }: ApiResponse,
): void {
  const content = Buffer.from(body, 'utf8');
  response.writeHead(status, { ...headers, 'content-length': String(content.length) });
  if (request.method === 'HEAD') response.end();
  else response.end(content);
  // What was not read of a refused request must not be taken for the next one.
  if (!request.complete) (request as unknown as Readable).resume();
}
