import { ConfigurationError, HealthRegistry, METRICS, type UnaryGrpcServer } from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { Registry } from 'prom-client';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { grpcPort } from '../grpc-port.js';
import { RATLS_PROTOCOL, RatlsService } from './ratls-service.js';
import { type ServerIdentity, serverIdentity } from './server-certificate.js';
import { type ServerQuotes, serverQuotes } from './server-quote.js';

/** A new key with a new quote each day: the quote shows what this platform is now. */
const RENEWAL_MS = 24 * 3_600_000;

/** The port of Occlum's grpc_ratls: gRPC over TLS, where each side shows the other a quote in its certificate. */
@Injectable()
export class RatlsListener implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger(RATLS_PROTOCOL);
  private server: UnaryGrpcServer | undefined;
  private renewal: NodeJS.Timeout | undefined;

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
    private readonly health: HealthRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(METRICS) private readonly registry: Registry,
  ) {}

  /** @throws ConfigurationError where the port is on and there is no source of quotes about this service */
  async onApplicationBootstrap(): Promise<void> {
    const { environment } = this;
    const port = environment.SIEGEL_OCCLUM_RATLS_PORT;
    if (port === 0) return;
    const quotes = serverQuotes(environment);
    const identity = await firstIdentity(quotes);
    const server = grpcPort(RATLS_PROTOCOL, this.registry, {
      methods: new RatlsService(this.pipeline, this.tenants).methods,
      tls: { ...identity, requestCert: true, minVersion: 'TLSv1.2' },
      callTimeoutMs: environment.SIEGEL_OCCLUM_RATLS_TIMEOUT_MS,
      idleTimeoutMs: environment.SIEGEL_OCCLUM_RATLS_TIMEOUT_MS,
      maxConnections: environment.SIEGEL_OCCLUM_RATLS_MAX_CONNECTIONS,
    });
    this.server = server;
    this.health.register(RATLS_PROTOCOL, () => ({ ok: server.listening }));
    await server.listen(port, environment.SIEGEL_OCCLUM_RATLS_HOST ?? environment.SIEGEL_HTTP_HOST);
    this.log.log(`grpc_ratls for Occlum on port ${port}`);
    this.renewal = setInterval(() => {
      serverIdentity(quotes, new Date()).then(
        (next) => server.replaceIdentity(next),
        (error: unknown) =>
          this.log.error(`the server certificate could not be renewed: ${(error as Error).message}`),
      );
    }, RENEWAL_MS);
    this.renewal.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.renewal);
    await this.server?.close();
  }
}

async function firstIdentity(quotes: ServerQuotes): Promise<ServerIdentity> {
  try {
    return await serverIdentity(quotes, new Date());
  } catch (error) {
    throw new ConfigurationError([
      { variable: 'SIEGEL_OCCLUM_RATLS_QUOTES', message: (error as Error).message },
    ]);
  }
}
