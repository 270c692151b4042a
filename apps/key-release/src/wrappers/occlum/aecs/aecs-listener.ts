import { HealthRegistry, METRICS, type UnaryGrpcServer } from '#platform';
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
import { AECS_PROTOCOL, AecsService } from './aecs-service.js';

/** Connections on which nothing is asked; init makes one for each secret and leaves it. */
const IDLE_MS = 10_000;

/**
 * The port of AECS: gRPC in clear text, as Occlum's client speaks it. What is worth hiding is sealed to the attested key; the names of
 * services and secrets are not, and nothing proves the server to the client.
 */
@Injectable()
export class AecsListener implements OnApplicationBootstrap, OnModuleDestroy {
  private server: UnaryGrpcServer | undefined;

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
    private readonly health: HealthRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(METRICS) private readonly registry: Registry,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { SIEGEL_OCCLUM_AECS_PORT: port, SIEGEL_HTTP_HOST: host } = this.environment;
    if (port === 0) return;
    const { methods } = await AecsService.create(this.pipeline, this.tenants);
    const server = grpcPort(AECS_PROTOCOL, this.registry, {
      methods,
      callTimeoutMs: this.environment.SIEGEL_OCCLUM_AECS_TIMEOUT_MS,
      idleTimeoutMs: IDLE_MS,
      maxConnections: this.environment.SIEGEL_OCCLUM_AECS_MAX_CONNECTIONS,
    });
    this.server = server;
    this.health.register(AECS_PROTOCOL, () => ({ ok: server.listening }));
    await server.listen(port, this.environment.SIEGEL_OCCLUM_AECS_HOST ?? host);
    new Logger(AECS_PROTOCOL).log(`AECS for Occlum on port ${port}, in clear text as its clients demand`);
  }

  async onModuleDestroy(): Promise<void> {
    await this.server?.close();
  }
}
