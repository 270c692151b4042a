import { GRPC_STATUS, GrpcError, HealthRegistry, METRICS, UnaryGrpcServer, type UnaryCall } from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { createSecureContext, type SecureContext } from 'node:tls';
import { Counter, type Registry } from 'prom-client';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { type CertifiedKey, type Deployment, type DeploymentRegistry, DEPLOYMENTS } from '../interface.js';
import { Activation, activationCall } from './activation.js';

const SERVICE = 'rpc.Marble';
const METHOD = `/${SERVICE}/Activate`;
/** A quote, a request for a certificate and two names; grpc-go would take 4 MiB. */
const MAX_MESSAGE_BYTES = 128 * 1024;
/** Marbles wait as long as it takes; longer than a vault and a cold verification need it never takes. */
const CALL_TIMEOUT_MS = 60_000;
const IDLE_TIMEOUT_MS = 300_000;
const IDENTITY_CHECK_MS = 1_000;
const MIN_VERSION = 'TLSv1.2';

/**
 * The port that marbles connect to: gRPC on raw HTTP/2, client certificates asked for and not judged (they are self-signed; their worth
 * is in the quote), and no list of authorities, since Go clients then withhold theirs. The name in the TLS handshake says whose marble
 * it is; each deployment answers with its own marble root.
 */
@Injectable()
export class ActivationListener implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('marblerun');
  private readonly activations: Counter;
  private readonly contexts = new WeakMap<CertifiedKey, SecureContext>();
  private server: UnaryGrpcServer | undefined;
  private shown: CertifiedKey | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly activation: Activation,
    private readonly health: HealthRegistry,
    @Inject(DEPLOYMENTS) private readonly deployments: DeploymentRegistry | undefined,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(METRICS) registry: Registry,
  ) {
    this.activations = new Counter({
      name: 'siegel_marblerun_calls_total',
      help: 'Calls of marbles by gRPC status',
      labelNames: ['status'],
      registers: [registry],
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    const [first] = this.deployments?.all ?? [];
    if (!this.deployments || !first) return;
    const { environment } = this;
    const fallback = this.deployments.byHost(undefined) ?? first;
    this.shown = fallback.authority.marbleRoot;
    const server = new UnaryGrpcServer({
      methods: { [METHOD]: (call) => this.activate(call) },
      unknownMethod,
      tls: {
        ...identityOf(this.shown),
        requestCert: true,
        minVersion: MIN_VERSION,
        SNICallback: (name, done) => this.contextFor(name, done),
      },
      maxMessageBytes: MAX_MESSAGE_BYTES,
      callTimeoutMs: CALL_TIMEOUT_MS,
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      handshakeTimeoutMs: environment.SIEGEL_MARBLERUN_TIMEOUT_MS,
      maxConnections: environment.SIEGEL_MARBLERUN_MAX_CONNECTIONS,
      maxInFlight: environment.SIEGEL_MAX_IN_FLIGHT,
      observe: (_path, { status }, error) => {
        this.activations.inc({ status: String(status) });
        if (status === GRPC_STATUS.internal && !(error instanceof GrpcError)) this.log.error(error);
        else if (error instanceof Error) this.log.warn(error.message);
      },
    });
    this.server = server;
    this.health.register('marblerun-activation', () => ({ ok: server.listening }));
    const host = environment.SIEGEL_MARBLERUN_HOST ?? environment.SIEGEL_HTTP_HOST;
    const port = await server.listen(environment.SIEGEL_MARBLERUN_MESH_PORT, host);
    this.log.log(`marbles of ${this.deployments.all.length} deployments on port ${port}`);
    // Updates rotate the marble root. Handshakes with a name see that at once, this is for those without.
    this.timer = setInterval(() => this.renew(fallback), IDENTITY_CHECK_MS);
    this.timer.unref();
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    await this.server?.close();
  }

  private activate(call: UnaryCall): Promise<Uint8Array> {
    const deployment = this.deployments?.byHost(call.servername ?? call.authority);
    if (!deployment) throw new GrpcError(GRPC_STATUS.notFound, 'no deployment has this host name');
    return this.activation.activate(activationCall(deployment, call));
  }

  private contextFor(name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    try {
      const identity = this.deployments?.byHost(name)?.authority.marbleRoot ?? this.shown!;
      // What the server shows anyway need not be put into the connection again.
      if (identity === this.shown) done(null);
      else done(null, this.contextOf(identity));
    } catch (error) {
      done(error as Error);
    }
  }

  private contextOf(identity: CertifiedKey): SecureContext {
    const known = this.contexts.get(identity);
    if (known) return known;
    const made = createSecureContext({
      ...identityOf(identity),
      minVersion: MIN_VERSION,
      honorCipherOrder: true,
    });
    this.contexts.set(identity, made);
    return made;
  }

  private renew(fallback: Deployment): void {
    const { marbleRoot } = fallback.authority;
    if (marbleRoot === this.shown) return;
    this.shown = marbleRoot;
    this.server?.replaceIdentity(identityOf(marbleRoot));
  }
}

function identityOf({ pem, privateKey }: CertifiedKey): { key: string; cert: string } {
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: pem };
}

/** As grpc-go words it. */
function unknownMethod(path: string): string {
  const [, service = '', method = ''] = /^\/(.*)\/([^/]*)$/.exec(path) ?? [];
  if (service === SERVICE) return `unknown method ${method} for service ${SERVICE}`;
  return service === '' ? `malformed method name: ${JSON.stringify(path)}` : `unknown service ${service}`;
}
