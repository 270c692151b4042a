import { SiegelError } from '#contracts';
import { METRICS } from '#platform';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { Counter, type Registry } from 'prom-client';
import { AUDIT_ENVIRONMENT, type AuditEnvironment } from '../audit-environment.js';
import { type AccessSettings, readAccessFile } from './access-settings.js';
import { ClientCertificates } from './client-certificates.js';
import { EmbeddedToken } from './embedded-token.js';
import { CredentialRefused } from './credential-refused.js';
import { MAX_TOKEN_CHARACTERS, OidcTokens } from './oidc-tokens.js';
import { Principal } from './roles.js';

const BEARER = new RegExp(`^Bearer ([\\x21-\\x7e]{1,${MAX_TOKEN_CHARACTERS}})$`, 'i');
const OPERATOR = new Principal('token', [{ role: 'admin', tenants: 'all' }]);

/**
 * Says who sends a request: by the embedded token, by an issuer's token, or by the certificate of the connection. An Authorization
 * header decides alone: a bad token is not made good by a certificate.
 */
@Injectable()
export class Access implements OnApplicationShutdown {
  private readonly log = new Logger('access');
  private readonly token: EmbeddedToken | undefined;
  private readonly oidc: OidcTokens;
  private readonly certificates: ClientCertificates | undefined;
  private readonly refusals: Counter<'way'>;

  constructor(
    @Inject(AUDIT_ENVIRONMENT) environment: AuditEnvironment,
    @Inject(METRICS) registry: Registry,
    @Inject('ACCESS_SETTINGS') settings: AccessSettings,
  ) {
    const { SIEGEL_AUDIT_TOKEN_FILE: file, SIEGEL_STATE_DIR: state } = environment;
    this.token = settings.embeddedToken ? new EmbeddedToken(file ?? join(state, 'api.token')) : undefined;
    this.oidc = new OidcTokens(settings.oidc);
    this.certificates = settings.mtls && new ClientCertificates(settings.mtls.certificates);
    this.refusals = new Counter({
      name: 'siegel_audit_access_refusals_total',
      help: 'Requests whose credential did not count, by its kind',
      labelNames: ['way'],
      registers: [registry],
    });
  }

  /** @throws SiegelError ADMIN_UNAUTHENTICATED, IDENTITY_UNAVAILABLE */
  async principal(request: Pick<FastifyRequest, 'headers' | 'raw'>): Promise<Principal> {
    const { authorization } = request.headers;
    const found =
      authorization === undefined
        ? this.byCertificate(request.raw.socket as TLSSocket)
        : await this.byToken(authorization);
    if (!found) throw new SiegelError('ADMIN_UNAUTHENTICATED');
    return found;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.oidc.close();
  }

  private async byToken(authorization: string): Promise<Principal | undefined> {
    const token = BEARER.exec(authorization)?.[1];
    if (token === undefined) return undefined;
    if (this.token?.is(token)) return OPERATOR;
    if (!this.oidc.configured) return this.refused('token', 'not the token of this service');
    try {
      return await this.oidc.principal(token);
    } catch (error) {
      if (error instanceof CredentialRefused) return this.refused('oidc', error.message);
      if (error instanceof SiegelError && error.reason) this.log.error(error.reason.message);
      throw error;
    }
  }

  private byCertificate(socket: TLSSocket): Principal | undefined {
    try {
      return this.certificates?.principal(socket);
    } catch (error) {
      if (error instanceof CredentialRefused) return this.refused('certificate', error.message);
      throw error;
    }
  }

  private refused(way: string, why: string): undefined {
    this.refusals.inc({ way });
    this.log.warn(`a ${way} was refused: ${why.slice(0, 300)}`);
    return undefined;
  }
}

/** Reads the file of SIEGEL_AUDIT_ACCESS_FILE once, for whoever needs a part of it. */
export const accessSettings = {
  provide: 'ACCESS_SETTINGS',
  inject: [AUDIT_ENVIRONMENT],
  useFactory: ({ SIEGEL_AUDIT_ACCESS_FILE: file }: AuditEnvironment): AccessSettings => readAccessFile(file),
};
