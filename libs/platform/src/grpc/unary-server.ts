import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { constants as ssl } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { startListening } from '../http/listening.js';
import { frameOf, readUnaryMessage, timeoutMs } from './framing.js';
import { encodeMessage, GRPC_STATUS, GrpcError, type GrpcOutcome, outcomeOf } from './status.js';

/** One call of a unary method. */
export interface UnaryCall {
  readonly request: Buffer;
  /** DER of the certificate that the client proved to hold the key of in this very handshake; TLS with `requestCert` only. */
  readonly peerCertificate: Buffer | undefined;
  /** Server name of the TLS handshake; in clear text, the host of `:authority`. */
  readonly servername: string | undefined;
  /** `:authority` as the client wrote it, with its port if it has one. */
  readonly authority: string | undefined;
  /** The same object for all calls of one connection, and of no other. */
  readonly connection: object;
  /** Aborted when the caller is gone or its time is over. What was begun may go on; nothing of it is sent any more. */
  readonly signal: AbortSignal;
}
/** @returns the encoded reply. @throws GrpcError for a status of its own; SiegelError and all else become that of the catalogue */
export type UnaryMethod = (call: UnaryCall) => Promise<Uint8Array>;

export interface UnaryServerOptions {
  /** By path, `/package.Service/Method`. */
  readonly methods: Readonly<Record<string, UnaryMethod>>;
  /** Clear text (h2c) where absent. */
  readonly tls?: Pick<
    SecureServerOptions,
    'key' | 'cert' | 'requestCert' | 'minVersion' | 'maxVersion' | 'SNICallback'
  >;
  /** What is said of a path that is no method here; default `no such method`. */
  readonly unknownMethod?: (path: string) => string;
  readonly maxMessageBytes: number;
  /** Longest time from the headers of a call to its answer; a shorter `grpc-timeout` of the caller holds. */
  readonly callTimeoutMs: number;
  /** For the handshake unless that has its own, and for a connection on which nothing happens. */
  readonly idleTimeoutMs: number;
  readonly handshakeTimeoutMs?: number;
  readonly maxConnections: number;
  /** Calls at once over all connections; more are answered UNAVAILABLE. */
  readonly maxInFlight: number;
  readonly maxStreamsPerConnection?: number;
  /** Told of every call that was answered, and of connections that never came to one. */
  readonly observe?: (path: string, outcome: GrpcOutcome, error?: unknown) => void;
}

const DRAIN_MS = 5_000;
const MAX_HEADER_BYTES = 8 * 1024;

/**
 * A server of unary gRPC methods on node:http2 (grpc/doc/PROTOCOL-HTTP2.md), bounded in everything that a client can make grow:
 * connections, streams, header lists, messages, calls under way, and the time of each step. Client certificates are asked for but
 * not judged: who needs one looks at `peerCertificate`. Nothing is ever resumed, so that it is always of the present handshake.
 */
export class UnaryGrpcServer {
  private readonly server: Http2Server | Http2SecureServer;
  /** Open connections, and how many calls are under way on each. */
  private readonly sessions = new Map<ServerHttp2Session, number>();
  private inFlight = 0;

  constructor(private readonly options: UnaryServerOptions) {
    const { tls, idleTimeoutMs, maxStreamsPerConnection = 64 } = options;
    const bounds = {
      settings: {
        enablePush: false,
        maxConcurrentStreams: maxStreamsPerConnection,
        maxHeaderListSize: MAX_HEADER_BYTES,
      },
      maxSessionMemory: 2,
      maxSessionInvalidFrames: 16,
      maxSessionRejectedStreams: 32,
      peerMaxConcurrentStreams: maxStreamsPerConnection,
      unknownProtocolTimeout: 1_000,
    };
    this.server =
      tls === undefined
        ? createServer(bounds)
        : createSecureServer({
            ...bounds,
            ...tls,
            allowHTTP1: false,
            rejectUnauthorized: false,
            honorCipherOrder: true,
            secureOptions: ssl.SSL_OP_NO_TICKET | ssl.SSL_OP_NO_RENEGOTIATION,
            handshakeTimeout: options.handshakeTimeoutMs ?? idleTimeoutMs,
          });
    this.server.maxConnections = options.maxConnections;
    this.server.on('session', (session: ServerHttp2Session) => this.opened(session));
    this.server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => undefined);
      void this.serve(stream, headers);
    });
    this.server.on('sessionError', () => undefined);
    // At the handshake's timeout Node reports the connection but leaves it open.
    this.server.on('tlsClientError', (_error: Error, socket: TLSSocket) => socket.destroy());
    this.server.on('unknownProtocol', (socket: TLSSocket) => socket.destroy());
  }

  get listening(): boolean {
    return this.server.listening;
  }

  /** @returns the port. */
  listen(port: number, host: string): Promise<number> {
    return startListening(this.server, port, host, (error) =>
      this.options.observe?.('', outcomeOf(error), error),
    );
  }

  /** Another server certificate, for handshakes from now on. */
  replaceIdentity(identity: { readonly key: string; readonly cert: string }): void {
    if ('setSecureContext' in this.server) {
      const { minVersion, maxVersion } = this.options.tls ?? {};
      this.server.setSecureContext({
        ...identity,
        ...(minVersion === undefined ? {} : { minVersion }),
        ...(maxVersion === undefined ? {} : { maxVersion }),
        honorCipherOrder: true,
        secureOptions: ssl.SSL_OP_NO_TICKET | ssl.SSL_OP_NO_RENEGOTIATION,
      });
    }
  }

  /** No new connections and calls; calls under way are answered. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const session of this.sessions.keys()) session.close();
    const late = setTimeout(() => this.sessions.forEach((_calls, session) => session.destroy()), DRAIN_MS);
    await closed;
    clearTimeout(late);
  }

  private opened(session: ServerHttp2Session): void {
    this.sessions.set(session, 0);
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => undefined);
    // A call under way has a time limit of its own.
    session.setTimeout(this.options.idleTimeoutMs, () => {
      if (!this.sessions.get(session)) session.destroy();
    });
  }

  private async serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const path = headers[':path'] ?? '';
    if (headers[':method'] !== 'POST') return answerHttp(stream, 405);
    if (!/^application\/grpc(\+proto)?(;|$)/.test(headers['content-type'] ?? ''))
      return answerHttp(stream, 415);
    // The setting is a wish to peers; nghttp2 itself takes 64 KiB.
    if (sizeOf(headers) > MAX_HEADER_BYTES) return answerHttp(stream, 431);
    const { methods, callTimeoutMs, maxInFlight } = this.options;
    const method = Object.hasOwn(methods, path) ? methods[path] : undefined;
    if (method === undefined)
      return this.refuse(
        stream,
        path,
        new GrpcError(GRPC_STATUS.unimplemented, this.options.unknownMethod?.(path) ?? 'no such method'),
      );
    if (this.inFlight >= maxInFlight)
      return this.refuse(stream, path, new GrpcError(GRPC_STATUS.unavailable, 'too many calls at once'));
    const { session } = stream;
    this.count(session, 1);
    const over = new AbortController();
    const gone = (): void => over.abort();
    stream.once('close', gone);
    const patience = Math.min(callTimeoutMs, timeoutMs(headers['grpc-timeout']?.toString()) ?? callTimeoutMs);
    const timer = setTimeout(() => {
      const late = new GrpcError(GRPC_STATUS.deadlineExceeded, 'not answered in time');
      this.refuse(stream, path, late);
      over.abort(late);
    }, patience);
    try {
      const request = await readUnaryMessage(stream, this.options.maxMessageBytes);
      const reply = await method({
        request,
        ...peerOf(stream, headers),
        authority: headers[':authority'],
        connection: session ?? stream,
        signal: over.signal,
      });
      this.answer(stream, path, reply);
    } catch (error) {
      this.refuse(stream, path, error);
    } finally {
      clearTimeout(timer);
      // Nobody listens any more, and an AbortError with its stack is dear.
      stream.off('close', gone);
      this.count(session, -1);
    }
  }

  private count(session: ServerHttp2Stream['session'], change: 1 | -1): void {
    this.inFlight += change;
    const own = session as ServerHttp2Session | undefined;
    const calls = own && this.sessions.get(own);
    if (own && calls !== undefined) this.sessions.set(own, calls + change);
  }

  private answer(stream: ServerHttp2Stream, path: string, reply: Uint8Array): void {
    if (closed(stream)) return;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(GRPC_STATUS.ok) }));
    const frame = frameOf(reply);
    stream.end(frame, () => frame.fill(0));
    this.options.observe?.(path, { status: GRPC_STATUS.ok, message: '' });
  }

  /** A status alone: an answer of nothing but trailers. */
  private refuse(stream: ServerHttp2Stream, path: string, error: unknown): void {
    if (closed(stream)) return;
    const outcome = outcomeOf(error);
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': String(outcome.status),
        'grpc-message': encodeMessage(outcome.message),
      },
      { endStream: true },
    );
    stream.resume();
    this.options.observe?.(path, outcome, error);
  }
}

const closed = (stream: ServerHttp2Stream): boolean =>
  stream.destroyed || stream.closed || stream.headersSent;

const sizeOf = (headers: IncomingHttpHeaders): number =>
  Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);

function answerHttp(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': status }, { endStream: true });
  stream.resume();
}

function peerOf(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Pick<UnaryCall, 'peerCertificate' | 'servername'> {
  const socket = stream.session?.socket as TLSSocket | undefined;
  if (socket?.encrypted !== true) {
    const host = (headers[':authority'] ?? '').replace(/:\d{1,5}$/, '');
    return { peerCertificate: undefined, servername: host === '' ? undefined : host };
  }
  return {
    // A resumed session would show an earlier handshake's.
    peerCertificate: socket.isSessionReused() ? undefined : socket.getPeerX509Certificate()?.raw,
    servername: socket.servername || undefined,
  };
}
