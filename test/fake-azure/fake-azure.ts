import { randomUUID } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AttestationAuthorities } from './attestation-authorities.js';
import { ControlApi } from './control-api.js';
import { FakeEntra, type FakePrincipal } from './entra.js';
import { FakeClock } from './fake-clock.js';
import { faultError, Faults, type FaultEffect } from './faults.js';
import { readBody, send, sendHalf, sendHtml } from './http-exchange.js';
import { KeyReleaser } from './key-release.js';
import { RequestLog } from './request-log.js';
import { ServiceLimits } from './service-limits.js';
import { makeTestAuthority, type TestAuthority } from './test-authority.js';
import { VaultService } from './vault-service.js';
import {
  badParameter,
  KeyVaultError,
  type JsonObject,
  type VaultRequest,
  type WireResponse,
} from './wire.js';

export interface FakeAzureOptions {
  /** Vault names; `https://<name>.vault.azure.net:<port>` reaches each. Default `["fake"]`. */
  readonly vaults?: readonly string[];
  /** Default `vault.azure.net`. */
  readonly domain?: string;
  readonly tenantId?: string;
  /** Tenant that the vaults trust; another than `tenantId` shows what a wrong tenant looks like. */
  readonly vaultTenantId?: string;
  /** Resource that the challenges name, to see that clients refuse one that is not the vault's. Default `https://<domain>`. */
  readonly challengeResource?: string;
  readonly principals?: readonly FakePrincipal[];
  /** Port of HTTPS (vaults and Entra). Default 0: one that is free. */
  readonly port?: number;
  /** Port of HTTP (metadata service and control). Default 0. */
  readonly metadataPort?: number;
  /** 7 to 90. Default 90. */
  readonly recoverableDays?: number;
  /** Enforce the real limits of a vault, or no limits (default). */
  readonly limits?: ServiceLimits | boolean;
  /** PEM roots for the HTTPS metadata of attestation authorities; without them the system's. */
  readonly attestationRoots?: readonly string[];
}

export const DEFAULT_TENANT = '5f0e6f9c-2f3d-4a57-9d0e-7a2f6f1c0001';
export const DEFAULT_PRINCIPAL: FakePrincipal = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0001',
  clientSecret: 'fake-client-secret',
  federatedSubject: 'system:serviceaccount:siegel:key-release',
  managedIdentity: true,
  permissions: ['*'],
};

/** Key Vault, Entra and the instance metadata service on this machine, for tests and development. */
export class FakeAzure {
  readonly clock = new FakeClock();
  readonly faults = new Faults();
  readonly log = new RequestLog();
  readonly vaults: ReadonlyMap<string, VaultService>;
  private readonly rawSockets = new Map<number, Socket>();
  private https!: Server;
  private http!: Server;

  private constructor(
    readonly options: FakeAzureOptions,
    readonly tls: TestAuthority,
    readonly entra: FakeEntra,
    readonly authorities: AttestationAuthorities,
    readonly domain: string,
  ) {
    const { limits } = options;
    const releaser = new KeyReleaser(tls, authorities, this.clock);
    this.releases = releaser.records;
    const shared = {
      domain,
      tenantId: options.vaultTenantId ?? entra.tenantId,
      challengeResource: options.challengeResource ?? `https://${domain}`,
      recoverableDays: options.recoverableDays ?? 90,
      clock: this.clock,
      releaser,
      limits: limits === true ? new ServiceLimits() : limits === false ? undefined : limits,
    };
    this.vaults = new Map(
      (options.vaults ?? ['fake']).map((name) => [name, new VaultService({ ...shared, name })]),
    );
  }

  /** What happened to key releases, with the trace of the policy. */
  readonly releases: KeyReleaser['records'];

  static async start(options: FakeAzureOptions = {}): Promise<FakeAzure> {
    const entra = new FakeEntra(
      options.tenantId ?? DEFAULT_TENANT,
      options.principals ?? [DEFAULT_PRINCIPAL],
    );
    const authorities = new AttestationAuthorities(options.attestationRoots);
    const domain = options.domain ?? 'vault.azure.net';
    const fake = new FakeAzure(options, await makeTestAuthority(), entra, authorities, domain);
    await fake.listen();
    return fake;
  }

  get port(): number {
    return (this.https.address() as AddressInfo).port;
  }

  /** `http://127.0.0.1:<port>`: value for `AZURE_POD_IDENTITY_AUTHORITY_HOST`. */
  get metadataUrl(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get authorityHost(): string {
    return `https://localhost:${this.port}`;
  }

  vaultUrl(name: string): string {
    return `https://${name}.${this.domain}:${this.port}`;
  }

  async close(): Promise<void> {
    for (const server of [this.https, this.http]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  private async listen(): Promise<void> {
    const { keyPem: key, chainPem: cert } = this.tls;
    const control = new ControlApi(this);
    this.https = createHttpsServer({ key, cert, minVersion: 'TLSv1.2' }, (request, response) => {
      void this.serve(request, response).catch(() => response.destroy());
    });
    // TLS hides the TCP socket, which a true reset needs.
    this.https.on('connection', (socket: Socket) => {
      const port = socket.remotePort ?? 0;
      this.rawSockets.set(port, socket);
      socket.once('close', () => this.rawSockets.delete(port));
    });
    this.http = createHttpServer((request, response) => {
      void control.serve(request, response).catch(() => response.destroy());
    });
    await bind(this.https, this.options.port ?? 0);
    await bind(this.http, this.options.metadataPort ?? 0);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const host = request.headers.host ?? '';
    const url = new URL(request.url ?? '/', `https://${host}`);
    const name = url.hostname.endsWith(`.${this.domain}`)
      ? url.hostname.slice(0, -this.domain.length - 1)
      : undefined;
    const vault = name === undefined ? undefined : this.vaults.get(name);
    if (name !== undefined && vault === undefined) return void response.destroy();
    const body = await readBody(request);
    if (vault === undefined || name === undefined) await this.serveEntra(request, response, url, body);
    else await this.serveVault({ request, response, url, body, vault, name });
  }

  private async serveVault(exchange: VaultExchange): Promise<void> {
    const { request, response, url, vault, name } = exchange;
    const requestId = randomUUID();
    const entry = { requestId, vault: name, action: 'unknown', clientId: undefined as string | undefined };
    let answer: WireResponse | undefined;
    try {
      const { route, params } = vault.find(request.method ?? 'GET', url.pathname);
      entry.action = route.action;
      vault.checkApiVersion(url.searchParams);
      const caller = vault.authorize(request.headers.authorization, route.action, this.entra);
      entry.clientId = caller.clientId;
      const effects = this.faults.take({ action: route.action, vault: name, path: url.pathname });
      if (await this.strike(effects, exchange, caller.claims, route.action)) {
        answer = await route.handle(this.vaultRequest(exchange, params));
      }
    } catch (error) {
      answer = errorAnswer(error);
    }
    this.record(request, url, entry, answer?.status ?? 0);
    if (answer === undefined) return;
    const clientRequestId = request.headers['x-ms-client-request-id'];
    send(response, answer, {
      'x-ms-request-id': requestId,
      'x-ms-keyvault-region': 'fake',
      'x-ms-keyvault-service-version': '1.9.2895.1',
      'strict-transport-security': 'max-age=31536000;includeSubDomains',
      ...(typeof clientRequestId === 'string' ? { 'x-ms-client-request-id': clientRequestId } : {}),
    });
  }

  /** Carries out the faults of a request, then its limits. Returns false when there is nothing more to answer. @throws KeyVaultError */
  private async strike(
    effects: readonly FaultEffect[],
    { request, response, vault, name }: VaultExchange,
    claims: Readonly<Record<string, unknown>>,
    action: string,
  ): Promise<boolean> {
    for (const effect of effects) {
      const error = faultError(effect, name, action);
      if (error !== undefined) throw error;
      if (effect.kind === 'delay') await sleep(effect.ms);
      if (effect.kind === 'cae' && claims['claims_challenge_answered'] !== true) throw vault.caeChallenge();
      if (effect.kind === 'truncate') sendHalf(response);
      if (effect.kind === 'garbage') sendHtml(response);
      if (effect.kind === 'reset') this.reset(request);
      if (['truncate', 'garbage', 'reset'].includes(effect.kind)) return false;
    }
    vault.countRequest(action);
    return !request.socket.destroyed;
  }

  private reset(request: IncomingMessage): void {
    const raw = this.rawSockets.get(request.socket.remotePort ?? 0);
    if (raw === undefined) request.socket.destroy();
    else raw.resetAndDestroy();
  }

  private vaultRequest(
    { request, url, body, name }: VaultExchange,
    params: VaultRequest['params'],
  ): VaultRequest {
    return {
      method: request.method ?? 'GET',
      origin: url.origin,
      vault: name,
      path: url.pathname,
      query: url.searchParams,
      body: parseBody(body),
      params,
    };
  }

  private async serveEntra(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    body: Buffer,
  ): Promise<void> {
    const [, tenant = '', rest = ''] = /^\/([^/]+)\/(.*)$/.exec(url.pathname) ?? [];
    const isToken = request.method === 'POST' && rest === 'oauth2/v2.0/token';
    const action = isToken ? 'token' : 'metadata';
    const [effect] = this.faults
      .take({ action, vault: '', path: url.pathname })
      .filter(({ kind }) => kind !== 'delay');
    let answer: WireResponse = { status: 404, body: { error: 'not_found' } };
    if (effect?.kind === 'reset') return this.reset(request);
    if (effect?.kind === 'status')
      answer = {
        status: effect.status,
        body: {
          error: effect.code ?? 'temporarily_unavailable',
          error_description: effect.message ?? 'AADSTS90033: A transient error has occurred.',
        },
      };
    else if (isToken) answer = this.entra.token(tenant, new URLSearchParams(body.toString()));
    else if (rest === 'v2.0/.well-known/openid-configuration')
      answer = this.entra.metadata(tenant, url.origin);
    else if (rest === 'discovery/v2.0/keys') answer = this.entra.keys();
    this.record(request, url, { requestId: randomUUID(), action }, answer.status);
    send(response, answer);
  }

  private record(
    request: IncomingMessage,
    url: URL,
    entry: { requestId: string; action: string; vault?: string; clientId?: string | undefined },
    status: number,
  ): void {
    const { clientId, ...rest } = entry;
    const common = {
      at: Date.now(),
      method: request.method ?? '',
      host: url.host,
      path: url.pathname,
      status,
    };
    this.log.add({ ...rest, ...common, ...(clientId === undefined ? {} : { clientId }) });
  }
}

interface VaultExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: Buffer;
  readonly vault: VaultService;
  readonly name: string;
}

function parseBody(body: Buffer): JsonObject {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw badParameter('The request body is not valid JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badParameter('The request body is not an object.');
  return value as JsonObject;
}

function errorAnswer(error: unknown): WireResponse {
  if (error instanceof KeyVaultError) return error.response();
  return new KeyVaultError(500, 'InternalServerError', (error as Error).message).response();
}

async function bind(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}
