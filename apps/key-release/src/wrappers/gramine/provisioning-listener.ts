import { asSiegelError } from '#contracts';
import { isPkiError } from '#pki';
import { ConfigurationError, HealthRegistry, METRICS, startListening } from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { constants } from 'node:crypto';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { Counter, type Registry } from 'prom-client';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import { addresseeOf, type Addressee } from '../../tenants/addressee.js';
import { TenantResolver } from '../../tenants/tenant-resolver.js';
import { type IdentityRenewal, renewIdentity } from '../../tls/identity-renewal.js';
import {
  type ProvisioningAuthority,
  type ProvisioningIdentity,
  provisioningNames,
} from './provisioning-authority.js';
import { Provisioning } from './provisioning.js';
import { readRequest } from './read-request.js';
import { sendsNoTickets } from './ticket-probe.js';
import { REQUEST } from './wire-format.js';

export const PROVISIONING_AUTHORITY = Symbol('PROVISIONING_AUTHORITY');

const DRAIN_MS = 5_000;

/**
 * The port that Gramine clients connect to. Each connection is one task on the event loop; what takes time (verification, vault, log)
 * is awaited, so that no handshake waits for another. Connections are bounded in number and each of their steps in time.
 */
@Injectable()
export class ProvisioningListener implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('gramine');
  private readonly connections: Counter;
  /** Open connections; true while an answer is being made. */
  private readonly open = new Map<TLSSocket, boolean>();
  private server: Server | undefined;
  private renewal: IdentityRenewal | undefined;

  constructor(
    private readonly provisioning: Provisioning,
    private readonly tenants: TenantResolver,
    private readonly health: HealthRegistry,
    @Inject(PROVISIONING_AUTHORITY) private readonly authority: ProvisioningAuthority | undefined,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(METRICS) registry: Registry,
  ) {
    this.connections = new Counter({
      name: 'siegel_gramine_connections_total',
      help: 'Connections to the Secret Provisioning port by how they ended',
      labelNames: ['outcome'],
      registers: [registry],
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    const { authority } = this;
    if (!authority) return;
    const { SIEGEL_GRAMINE_PORT: port, SIEGEL_HTTP_HOST: host } = this.environment;
    const identity = await this.newIdentity(authority);
    const tls13 = await sendsNoTickets(identity);
    const maxVersion = tls13 ? 'TLSv1.3' : 'TLSv1.2';
    const server = createServer(this.options(identity, maxVersion), (socket) => void this.serve(socket));
    server.maxConnections = this.environment.SIEGEL_GRAMINE_MAX_CONNECTIONS;
    server.on('tlsClientError', (_error, socket) => {
      // At the handshake's timeout Node reports the connection but leaves it open.
      socket.destroy();
      this.connections.inc({ outcome: 'handshake-failed' });
    });
    server.on('drop', () => this.connections.inc({ outcome: 'dropped' }));
    this.server = server;
    this.health.register('gramine', () => ({ ok: server.listening }));
    await startListening(server, port, this.environment.SIEGEL_GRAMINE_HOST ?? host, (error) =>
      this.log.error(`listener: ${error.message}`),
    );
    this.log.log(`Secret Provisioning on port ${port}, up to ${maxVersion}`);
    this.renewal = renewIdentity(
      identity,
      () => this.newIdentity(authority),
      (next) => server.setSecureContext(this.options(next, maxVersion)),
      (error) => this.log.error(`the server certificate could not be renewed: ${String(error)}`),
    );
  }

  /** No new connections; answers under way are given, whoever has not asked yet must ask elsewhere. */
  async onModuleDestroy(): Promise<void> {
    this.renewal?.stop();
    const { server } = this;
    if (!server?.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const [socket, busy] of this.open) if (!busy) socket.destroy();
    const late = setTimeout(() => this.open.forEach((_busy, socket) => socket.destroy()), DRAIN_MS);
    await closed;
    clearTimeout(late);
  }

  private async newIdentity(authority: ProvisioningAuthority): Promise<ProvisioningIdentity> {
    const { SIEGEL_GRAMINE_TLS_NAMES: given, SIEGEL_TLS_NAMES: own } = this.environment;
    try {
      return await authority.identity(provisioningNames(given, own, this.tenants.hosts), new Date());
    } catch (error) {
      if (!isPkiError(error, 'NAME_INVALID') && !isPkiError(error, 'NAME_MISSING')) throw error;
      throw new ConfigurationError([{ variable: 'SIEGEL_GRAMINE_TLS_NAMES', message: error.message }]);
    }
  }

  private options({ key, cert }: ProvisioningIdentity, maxVersion: 'TLSv1.2' | 'TLSv1.3'): TlsOptions {
    return {
      key,
      cert,
      minVersion: 'TLSv1.2',
      maxVersion,
      honorCipherOrder: true,
      // Clients sign their certificates themselves; what a certificate is worth is in its quote.
      requestCert: true,
      rejectUnauthorized: false,
      // A resumed session would come with the certificate of an earlier handshake.
      secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
      handshakeTimeout: this.environment.SIEGEL_GRAMINE_TIMEOUT_MS,
    };
  }

  private async serve(socket: TLSSocket): Promise<void> {
    this.open.set(socket, false);
    socket.on('close', () => this.open.delete(socket));
    // A peer that breaks off is no error of ours; what was decided is in the log.
    socket.on('error', () => undefined);
    try {
      this.connections.inc({ outcome: await this.converse(socket) });
    } catch (error) {
      const refused = asSiegelError(error);
      const { code, message } = refused.reason ?? { code: refused.code, message: refused.message };
      this.log.warn(`${refused.code}: ${code}: ${message}`);
      if (refused.code === 'INTERNAL') this.log.error(refused.cause ?? refused);
      this.connections.inc({ outcome: refused.entry.http < 500 ? 'refused' : 'failed' });
      this.hangUp(socket);
    }
  }

  private async converse(socket: TLSSocket): Promise<'answered' | 'gone' | 'timeout'> {
    const timeout = this.environment.SIEGEL_GRAMINE_TIMEOUT_MS;
    const to: Addressee = addresseeOf(this.tenants, socket.servername);
    const received = await readRequest(socket, REQUEST.length, timeout);
    if (received.kind !== 'request') {
      this.hangUp(socket);
      return received.kind;
    }
    this.open.set(socket, true);
    // Taken from the handshake, not parsed again from its bytes: those contain PEM, which a parser would prefer.
    // A resumed session, which no client of ours can have, would show an earlier handshake's.
    const certificate = socket.isSessionReused() ? undefined : socket.getPeerX509Certificate()?.raw;
    const answer = await this.provisioning.answer(to, certificate, received.bytes);
    socket.end(answer, () => answer.fill(0));
    this.expire(socket);
    return 'answered';
  }

  /** There is no message for a refusal in this protocol. */
  private hangUp(socket: TLSSocket): void {
    socket.end();
    this.expire(socket);
  }

  /** A peer that never closes its side must not keep the connection. */
  private expire(socket: TLSSocket): void {
    if (socket.destroyed) return;
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), this.environment.SIEGEL_GRAMINE_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
  }
}
