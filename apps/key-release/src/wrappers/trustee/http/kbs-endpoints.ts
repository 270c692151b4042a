import { SiegelError } from '#contracts';
import { configuredBy, readBody } from '#platform';
import { Inject, Injectable } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { type AdminSettings, readAdminFile } from '../admin/admin-file.js';
import { Administrators } from '../admin/administrators.js';
import { policyRefused, referenceValueRefused } from '../admin/policy-upload.js';
import { MAX_RESOURCE_BYTES, ResourceAdministration } from '../admin/resource-administration.js';
import { AttestationService } from '../attest/attestation.service.js';
import { KbsError } from '../protocol/kbs-error.js';
import { MAX_BODY_BYTES, readAuth } from '../protocol/messages.js';
import { ResourceService } from '../resource/resource.service.js';
import type { KbsSession } from '../session/kbs-session.js';
import { SessionStore } from '../session/session-store.js';
import { SessionTickets } from '../session/session-tickets.js';
import { EarTokens } from '../token/ear-tokens.js';
import { type Answer, EMPTY } from './answer.js';
import type { Target } from './request-path.js';
import { cookieOf, sessionOf } from './session-cookie.js';

const MAX_AUTH_BYTES = 8 * 1024;
const MAX_UPLOAD_BYTES = 1024 * 1024;

/** The protocol's endpoints; every answer of theirs, and every refusal as a typed error. */
@Injectable()
export class KbsEndpoints {
  readonly sessions: SessionStore;
  private readonly tickets: SessionTickets;
  private readonly administrators: Administrators;
  private readonly secure: boolean;

  constructor(
    private readonly attestations: AttestationService,
    private readonly resources: ResourceService,
    private readonly administration: ResourceAdministration,
    private readonly tokens: EarTokens,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {
    this.sessions = new SessionStore(environment.SIEGEL_TRUSTEE_MAX_SESSIONS);
    this.tickets = new SessionTickets(environment.SIEGEL_TRUSTEE_SESSION_SECONDS);
    this.secure = environment.SIEGEL_TRUSTEE_TLS;
    this.administrators = new Administrators(adminSettings(environment));
  }

  /** @throws KbsError, SiegelError */
  answer(target: Target, request: IncomingMessage): Promise<Answer> | Answer {
    const { method = '' } = request;
    switch (target.kind) {
      case 'health':
        return EMPTY;
      case 'auth':
        requireMethod(method, 'POST');
        return this.auth(request);
      case 'attest':
        requireMethod(method, 'POST');
        return this.attest(request);
      case 'resource':
        if (method === 'GET') return this.read(request, target.path);
        requireMethod(method, 'POST', 'DELETE');
        return this.change(request, method, target.path);
      case 'policy':
      case 'reference-value':
        requireMethod(method, 'GET', 'POST');
        return this.policies(request, method, target);
    }
  }

  private async auth(request: IncomingMessage): Promise<Answer> {
    const tenant = this.tenants.resolve(request.headers.host);
    const { version, tee } = readAuth(await readBody(request, MAX_AUTH_BYTES));
    if (tee === 'sample' && !this.environment.SIEGEL_SIMULATION) {
      throw new SiegelError('EVIDENCE_UNSUPPORTED', {
        detail: 'sample evidence proves nothing; it counts only in a deployment that simulates',
      });
    }
    const { id, nonce, expiresAt } = this.tickets.mint(tenant, version, tee, new Date());
    const json = `{"nonce":"${nonce.toString('base64')}","extra-params":""}`;
    return { status: 200, json, cookie: cookieOf(id, expiresAt, this.secure) };
  }

  private async attest(request: IncomingMessage): Promise<Answer> {
    const tenant = this.tenants.resolve(request.headers.host);
    const id = sessionOf(request.headers.cookie);
    const ticket = id === undefined ? undefined : this.tickets.open(id, tenant);
    if (!ticket) throw KbsError.notAttested('there is no session; begin with /auth');
    if (ticket.expiresAt.getTime() <= Date.now())
      throw KbsError.notAttested('the session has expired; begin with /auth');
    const body = await readBody(request, MAX_BODY_BYTES);
    const { token, session } = await this.attestations.attest(tenant, ticket, body, this.sessions);
    const cookie = cookieOf(ticket.id, session.expiresAt, this.secure);
    // A token has no character that JSON would escape.
    return { status: 200, json: `{"token":"${token}"}`, cookie };
  }

  private async read(request: IncomingMessage, path: string): Promise<Answer> {
    const session = await this.sessionFor(request);
    return { status: 200, json: await this.resources.read(session, path) };
  }

  /** By cookie, else by token: the order of the real service. */
  private async sessionFor({ headers }: IncomingMessage): Promise<KbsSession> {
    const tenant = this.tenants.resolve(headers.host);
    const now = new Date();
    const id = sessionOf(headers.cookie);
    const session = id === undefined ? undefined : this.sessions.find(id, tenant, now);
    if (session) return session;
    const token = /^Bearer ([A-Za-z0-9_.-]+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) throw KbsError.notAttested('Attestation Token not found');
    const carried = await this.tokens.open(token, now);
    if (carried.tenant === tenant) return carried;
    throw KbsError.notAttested('the token is of another tenant', 'TokenVerifierError');
  }

  private async change(request: IncomingMessage, method: string, path: string): Promise<Answer> {
    const { tenant, administrator } = await this.administrator(request);
    administrator.require(tenant, method, path);
    if (method === 'DELETE') await this.administration.remove(tenant, path, administrator.actor);
    else {
      const bytes = await readBody(request, MAX_RESOURCE_BYTES);
      await this.administration.set(tenant, path, bytes, administrator.actor);
    }
    return EMPTY;
  }

  private async policies(
    request: IncomingMessage,
    method: string,
    target: Extract<Target, { kind: 'policy' | 'reference-value' }>,
  ): Promise<Answer> {
    const { tenant, administrator } = await this.administrator(request);
    administrator.require(tenant, method);
    if (target.kind === 'reference-value') throw referenceValueRefused();
    // Names of policies: there are none, whatever decides.
    if (method === 'GET') return { status: 200, json: '[]' };
    throw policyRefused(await readBody(request, MAX_UPLOAD_BYTES));
  }

  private async administrator({ headers }: IncomingMessage) {
    const tenant = this.tenants.resolve(headers.host);
    return { tenant, administrator: await this.administrators.authenticate(headers.authorization) };
  }
}

function requireMethod(method: string, ...allowed: string[]): void {
  if (!allowed.includes(method))
    throw new KbsError(405, 'InvalidRequestPath', `${allowed.join(' or ')} is meant here`);
}

function adminSettings({
  SIEGEL_TRUSTEE_ADMIN_FILE: file,
}: KeyReleaseEnvironment): AdminSettings | undefined {
  return file === undefined
    ? undefined
    : configuredBy('SIEGEL_TRUSTEE_ADMIN_FILE', () => readAdminFile(file));
}
