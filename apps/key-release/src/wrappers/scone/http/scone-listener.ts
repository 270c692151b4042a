import type { MeshCa } from '#pki';
import {
  boundServer,
  HealthRegistry,
  METRICS,
  REQUEST_TIMEOUT_MS,
  startListening,
  stopListening,
} from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { constants } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { Counter, type Registry } from 'prom-client';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { MESH_CA } from '../../../pipeline/certificate-issuance.js';
import { type IdentityRenewal, renewIdentity } from '../../../tls/identity-renewal.js';
import { serverIdentity, type ServerIdentity } from '../../../tls/server-identity.js';
import { clientOf } from '../session/client.js';
import { SessionService } from '../session/session.service.js';
import { type Answer, SconeEndpoints } from './endpoints.js';

/** HTTPS server of the CAS's REST API. Clients may show any certificate, or none: what its key may do, the sessions say. */
@Injectable()
export class SconeListener implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('scone');
  private readonly requests: Counter<'target' | 'status'>;
  private server: Server | undefined;
  private renewal: IdentityRenewal | undefined;

  constructor(
    private readonly endpoints: SconeEndpoints,
    private readonly sessions: SessionService,
    private readonly health: HealthRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(MESH_CA) private readonly ca: MeshCa,
    @Inject(METRICS) registry: Registry,
  ) {
    this.requests = new Counter({
      name: 'siegel_scone_requests_total',
      help: 'Requests of the REST API of a SCONE CAS by what they were for and how they were answered',
      labelNames: ['target', 'status'],
      registers: [registry],
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    const { SIEGEL_SCONE_PORT: port, SIEGEL_SCONE_HOST: host, SIEGEL_HTTP_HOST } = this.environment;
    if (port === 0) return;
    const identity = await serverIdentity(this.environment, this.ca, new Date());
    const server = createServer(
      optionsOf(identity),
      (request, response) => void this.serve(request, response),
    );
    boundServer(server, this.environment.SIEGEL_SCONE_MAX_CONNECTIONS);
    this.server = server;
    this.renewal = renewIdentity(
      identity,
      () => serverIdentity(this.environment, this.ca, new Date()),
      (next) => server.setSecureContext(optionsOf(next)),
      (error) => this.log.error(`the server certificate could not be renewed: ${String(error)}`),
    );
    this.health.register('scone', () => ({ ok: server.listening && this.sessions.ready }));
    await startListening(server, port, host ?? SIEGEL_HTTP_HOST, (error) =>
      this.log.error(`listener: ${error.message}`),
    );
    this.log.log(`REST API of a SCONE CAS on port ${port}`);
  }

  /** No new connections; answers under way are given. */
  async onModuleDestroy(): Promise<void> {
    this.renewal?.stop();
    if (this.server) await stopListening(this.server);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as TLSSocket;
    try {
      // Taken from the handshake of this very connection; its key has been proven there.
      const certificate = socket.getPeerX509Certificate()?.raw;
      const client = clientOf(certificate, socket.remoteAddress ?? '');
      const { target, answer } = await this.endpoints.answer(request, client);
      send(response, answer);
      this.requests.inc({ target, status: response.statusCode });
    } catch (error) {
      // A certificate whose key nothing here can read: there is nobody to answer.
      this.log.warn(`a connection was given up: ${(error as Error).message}`);
      socket.destroy();
    }
  }
}

const optionsOf = ({ cert, key }: ServerIdentity): ServerOptions => ({
  cert,
  key,
  // Clients of older CAS versions know no later one.
  minVersion: 'TLSv1.2',
  honorCipherOrder: true,
  handshakeTimeout: REQUEST_TIMEOUT_MS,
  // No `ca`: certificates that nobody issued are as good as others, their key counts.
  requestCert: true,
  rejectUnauthorized: false,
  // A resumed session would come with the certificate of an earlier handshake.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
});

function send(response: ServerResponse, { status, type, body }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
    // What is left of a body that was not read must not be taken for the next request.
    ...(status === 413 ? { connection: 'close' } : {}),
  });
  response.end(body);
}
