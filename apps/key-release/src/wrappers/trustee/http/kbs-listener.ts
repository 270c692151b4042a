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
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer, type ServerOptions } from 'node:https';
import { Counter, Gauge, type Registry } from 'prom-client';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { MESH_CA } from '../../../pipeline/certificate-issuance.js';
import { type IdentityRenewal, renewIdentity } from '../../../tls/identity-renewal.js';
import { serverIdentity, type ServerIdentity } from '../../../tls/server-identity.js';
import { requireTrusteeSettings } from '../environment.js';
import { KbsError, kbsErrorOf, type KbsErrorKind } from '../protocol/kbs-error.js';
import { send, sendError } from './answer.js';
import { KbsEndpoints } from './kbs-endpoints.js';
import { type Target, targetOf } from './request-path.js';

/**
 * Server of the KBS protocol, on a port of its own: by TLS with this service's identity, or in plain HTTP where the operator says so
 * (what matters is sealed to the enclave's key either way). Beside Nest, because a read of a resource is many times cheaper than what a
 * framework does around it.
 */
@Injectable()
export class KbsListener implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('trustee');
  private readonly requests: Counter<'target' | 'status'>;
  private server: Server | TlsServer | undefined;
  private renewal: IdentityRenewal | undefined;

  constructor(
    private readonly endpoints: KbsEndpoints,
    private readonly health: HealthRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(MESH_CA) private readonly ca: MeshCa,
    @Inject(METRICS) registry: Registry,
  ) {
    // Never by path: the names of resources are for those who may read them.
    this.requests = new Counter({
      name: 'siegel_trustee_requests_total',
      help: 'Requests of the KBS protocol by what they were for and how they were answered',
      labelNames: ['target', 'status'],
      registers: [registry],
    });
    new Gauge({
      name: 'siegel_trustee_sessions',
      help: 'Sessions of the KBS protocol that have attested',
      registers: [registry],
      collect() {
        this.set(endpoints.sessions.size);
      },
    });
    requireTrusteeSettings(environment);
  }

  async onApplicationBootstrap(): Promise<void> {
    const { SIEGEL_TRUSTEE_PORT: port, SIEGEL_TRUSTEE_TLS: tls, SIEGEL_HTTP_HOST } = this.environment;
    if (port === 0) return;
    const server = await this.create(tls);
    boundServer(server, this.environment.SIEGEL_TRUSTEE_MAX_CONNECTIONS);
    this.server = server;
    this.health.register('trustee', () => ({ ok: server.listening }));
    await startListening(server, port, this.environment.SIEGEL_TRUSTEE_HOST ?? SIEGEL_HTTP_HOST, (error) =>
      this.log.error(`listener: ${error.message}`),
    );
    this.log.log(`KBS protocol on port ${port}, ${tls ? 'TLS' : 'plain HTTP'}`);
  }

  /** No new connections; answers under way are given. */
  async onModuleDestroy(): Promise<void> {
    this.renewal?.stop();
    if (this.server) await stopListening(this.server);
  }

  private async create(tls: boolean): Promise<Server | TlsServer> {
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.serve(request, response);
    if (!tls) return createServer(serve);
    const identity = await serverIdentity(this.environment, this.ca, new Date());
    const server = createTlsServer(optionsOf(identity), serve);
    this.renewal = renewIdentity(
      identity,
      () => serverIdentity(this.environment, this.ca, new Date()),
      (next) => server.setSecureContext(optionsOf(next)),
      (error) => this.log.error(`the server certificate could not be renewed: ${String(error)}`),
    );
    return server;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let target: Target | undefined;
    try {
      target = targetOf(request.url ?? '');
      send(response, await this.endpoints.answer(target, request));
    } catch (thrown) {
      const error = kbsErrorOf(thrown, kindOf(target));
      // A peer that breaks off is no failure of ours.
      if (error.status === 500 && !response.destroyed)
        this.log.error({ msg: 'request failed', err: causeOf(error) });
      sendError(response, error);
    }
    this.requests.inc({ target: target?.kind ?? 'unknown', status: response.statusCode });
  }
}

/** No client certificates, unlike the native endpoint's: what a client is, its evidence says. */
const optionsOf = ({ cert, key }: ServerIdentity): ServerOptions => ({
  cert,
  key,
  minVersion: 'TLSv1.2',
  honorCipherOrder: true,
  handshakeTimeout: REQUEST_TIMEOUT_MS,
});

const kindOf = (target: Target | undefined): KbsErrorKind =>
  target?.kind === 'resource' ? 'PolicyDeny' : 'AttestationError';

const causeOf = ({ cause }: KbsError): unknown => (cause as Error | undefined)?.cause ?? cause;
