import { HealthRegistry } from '#platform';
import { All, Controller, Inject, Req, Res, UseFilters } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AttestingRoute } from '../../../attest/attesting-route.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { requireAnjuna, VAULT_PROTOCOL } from '../protocol.js';
import { GrantedSecret, NothingCarried, Refusal } from './granted-secret.js';
import {
  healthAnswer,
  loginAnswer,
  lookupAnswer,
  mountAnswer,
  sealStatusAnswer,
  secretAnswer,
} from './vault-answers.js';
import { type VaultCall, vaultCallOf } from './vault-call.js';
import { VaultErrorFilter } from './vault-error.js';
import { VaultSessions } from './vault-sessions.js';

interface Answer {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
}

/** The read API of a HashiCorp Vault below /vault, so that VAULT_ADDR=https://host/vault leads here (api-docs of Vault). */
@ApiExcludeController()
@UseFilters(VaultErrorFilter)
@Controller('vault/v1')
export class VaultController {
  constructor(
    private readonly sessions: VaultSessions,
    private readonly health: HealthRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @All('*')
  @RouteConfig({ attests: VAULT_PROTOCOL } satisfies AttestingRoute)
  async answer(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    requireAnjuna(this.environment);
    const { status, body } = await this.serve(vaultCallOf(request.method, request.url), request);
    void reply
      .status(status)
      .headers({ 'content-type': 'application/json', 'cache-control': 'no-store' })
      .send(body);
  }

  private async serve(call: VaultCall, { headers, body }: FastifyRequest): Promise<Answer> {
    switch (call.kind) {
      case 'health': {
        const { ok } = await this.health.ready();
        return { status: ok ? 200 : 503, body: healthAnswer(ok, new Date()) };
      }
      case 'seal-status':
        return done(sealStatusAnswer((await this.health.ready()).ok));
      case 'login':
        return done(loginAnswer(await this.sessions.login(body, headers), new Date()));
    }
    const caller = await this.sessions.caller(headers);
    switch (call.kind) {
      case 'mount':
        return done(mountAnswer(call.vault));
      case 'lookup-self':
        await this.sessions.decide(caller, new NothingCarried());
        return done(lookupAnswer(caller, new Date()));
      case 'renew-self':
        return { status: 400, body: JSON.stringify({ errors: ['lease is not renewable'] }) };
      case 'refused':
        await this.sessions.decide(caller, new Refusal(call.code, call.message));
        return { status: 403, body: JSON.stringify({ errors: ['permission denied'] }) };
      case 'read': {
        const secret = new GrantedSecret(call.vault, call.name);
        const { versions } = await this.sessions.decide(caller, secret);
        return done(secretAnswer(call.engine, secret.text, versions[0] ?? '', new Date()));
      }
    }
  }
}

const done = (body: string): Answer => ({ status: 200, body });
