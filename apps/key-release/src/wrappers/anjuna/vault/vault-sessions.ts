import { SiegelError } from '#contracts';
import type { PublicKey } from '#pki';
import { Injectable } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { EarlyRefusals } from '../../../pipeline/early-refusals.js';
import type { Carrier, Granted } from '../../../pipeline/interface.js';
import { ReleasePipeline } from '../../../pipeline/release-pipeline.js';
import { SessionAuthentication } from '../../../session/session-authentication.js';
import { type SessionClaims, SessionTokens, type TokenKind } from '../../../session/session-token.js';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { VAULT_PROTOCOL } from '../protocol.js';
import { NothingCarried } from './granted-secret.js';
import { LoginProofs } from './login-proofs.js';
import type { VaultToken } from './vault-answers.js';
import { LOGIN_PATH } from './vault-call.js';

/** Bearer tokens for this API alone: an attestation token is none, and none of these is an attestation token. */
const VAULT_TOKEN: TokenKind = { typ: 'siegel-vault+jwt', audience: 'siegel-vault' };
const MAX_SECONDS = 900;

const LoginRequest = z.strictObject({
  token: z.string().min(1).max(8_192).describe('Attestation token'),
  proof: z.string().min(1).max(8_192).describe('DPoP proof for POST of the login address (RFC 9449)'),
});

export interface VaultCaller extends VaultToken {
  readonly key: PublicKey;
}

/** Who calls the API of a Vault, and every decision for them through the one pipeline. */
@Injectable()
export class VaultSessions {
  private readonly early: EarlyRefusals;

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly authentication: SessionAuthentication,
    private readonly tokens: SessionTokens,
    private readonly tenants: TenantResolver,
    private readonly proofs: LoginProofs,
  ) {
    this.early = new EarlyRefusals(pipeline, VAULT_PROTOCOL);
  }

  /**
   * A token of Vault's kind for the holder of the bound key. Evidence alone is not enough: a bearer token that is given for it would go to
   * whoever has seen the evidence.
   *
   * @throws SiegelError
   */
  async login(body: unknown, { host }: IncomingHttpHeaders): Promise<VaultToken> {
    const tenant = this.tenants.resolve(host);
    const { session, key } = await this.logged(tenant, () => {
      const request = LoginRequest.safeParse(body);
      if (!request.success)
        throw new SiegelError('REQUEST_MALFORMED', { detail: 'send "token" and "proof", and nothing else' });
      return this.authentication.presented(
        { ...request.data, method: 'POST', path: LOGIN_PATH, host },
        this.proofs,
      );
    });
    const granted = await this.decide({ session, key }, new NothingCarried());
    const now = new Date();
    // What the decision says of the session is newer than what its token said.
    const { tokenId, expiresAt, thumbprint: _key, ...claims } = await this.tokens.open(granted.token, now);
    const seconds = Math.floor((expiresAt.getTime() - now.getTime()) / 1_000);
    const ttl = Math.max(1, Math.min(MAX_SECONDS, seconds));
    const issued = await this.tokens.issue(claims, key, tokenId, ttl, now, VAULT_TOKEN);
    return {
      token: issued.token,
      session: { ...claims, tokenId, expiresAt: issued.expiresAt, thumbprint: key.thumbprint },
    };
  }

  /** By `X-Vault-Token`, or else as a bearer token. @throws SiegelError TOKEN_…, logged */
  async caller(headers: IncomingHttpHeaders): Promise<VaultCaller> {
    const tenant = this.tenants.resolve(headers.host);
    return this.logged(tenant, async () => {
      const token = tokenOf(headers);
      if (token === undefined) throw refusedToken('TOKEN_MISSING', 'there is no token of this API');
      const { session, key } = await this.tokens.openKind(token, new Date(), VAULT_TOKEN);
      if (session.tenant !== tenant) throw refusedToken('TOKEN_TENANT', 'the token is of another tenant');
      return { token, session, key };
    });
  }

  /** The session's release as far as the carrier takes it: one decision, one event. @throws SiegelError */
  decide({ session, key }: { session: SessionClaims; key: PublicKey }, carrier: Carrier): Promise<Granted> {
    return this.pipeline.release({ tenant: session.tenant, protocol: VAULT_PROTOCOL, session, key, carrier });
  }

  /** Refusals before there is a session to decide about are events as well. */
  private async logged<T>(tenant: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      return this.early.around(tenant, () => {
        throw error;
      });
    }
  }
}

const TOKEN = /^[A-Za-z0-9_.-]{1,8192}$/;

function tokenOf({ 'x-vault-token': own, authorization }: IncomingHttpHeaders): string | undefined {
  const given = own ?? /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
  return typeof given === 'string' && TOKEN.test(given) ? given : undefined;
}

const refusedToken = (code: string, message: string): SiegelError =>
  new SiegelError('TOKEN_INVALID', { reason: { code, message } });
