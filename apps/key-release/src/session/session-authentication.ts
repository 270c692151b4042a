import { SiegelError } from '#contracts';
import {
  type DpopVerification,
  PkiError,
  type PublicKey,
  ReplayCache,
  type ReplayStore,
  verifyDpopProof,
} from '#pki';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import { type SessionClaims, SessionTokens } from './session-token.js';

const MAX_PROOFS = 200_000;

/** Who calls: the session of the token, and the key that the caller has just proven to hold (DPoP, RFC 9449). */
export interface AuthenticatedSession {
  readonly session: SessionClaims;
  readonly key: PublicKey;
}

/** Token and proof of a request, wherever it carries them. */
export interface PresentedSession {
  readonly token: string;
  readonly proof: string;
  /** Method and path that the proof must name. */
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Host header of the request. */
  readonly host: string | undefined;
}

const TOKEN = /^[A-Za-z0-9_.-]{1,8192}$/;

/** Checks token and proof of a request; a proof serves once, whichever endpoint it is for, at this replica. */
@Injectable()
export class SessionAuthentication {
  private readonly replay = new ReplayCache({ maxEntries: MAX_PROOFS });

  constructor(
    private readonly tokens: SessionTokens,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** Of a GET request's headers. @param path of the endpoint, as the proof names it. @throws SiegelError TOKEN_…, PROOF_…, OVERLOADED */
  async authenticate({ headers }: FastifyRequest, path: string): Promise<AuthenticatedSession> {
    const token = /^DPoP ([A-Za-z0-9_.-]{1,8192})$/i.exec(headers.authorization ?? '')?.[1];
    const proof = headers['dpop'];
    if (token === undefined) {
      throw new SiegelError('TOKEN_INVALID', {
        detail: 'send "Authorization: DPoP <token>" and a DPoP header',
      });
    }
    if (typeof proof !== 'string')
      throw new SiegelError('PROOF_INVALID', { detail: 'the DPoP header is missing' });
    return this.presented({ token, proof, method: 'GET', path, host: headers.host });
  }

  /**
   * The same for protocols whose clients can send no header of ours.
   *
   * @param replay where the proof serves once. @throws SiegelError TOKEN_…, PROOF_…, OVERLOADED
   */
  async presented(
    { token, proof, method, path, host }: PresentedSession,
    replay: ReplayStore = this.replay,
  ): Promise<AuthenticatedSession> {
    if (!TOKEN.test(token)) throw new SiegelError('TOKEN_INVALID');
    const now = new Date();
    const session = await this.tokens.open(token, now);
    if (session.tenant !== this.tenants.resolve(host)) {
      throw new SiegelError('TOKEN_INVALID', {
        reason: { code: 'TOKEN_TENANT', message: 'the token is of another tenant' },
      });
    }
    const url = `${this.environment.SIEGEL_PUBLIC_URL}${path}`;
    const { key } = await this.prove({
      proof,
      method,
      url,
      now,
      replay,
      accessToken: token,
      jkt: session.thumbprint,
    });
    return { session, key };
  }

  private async prove(verification: DpopVerification) {
    try {
      return await verifyDpopProof(verification);
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      const reason = { code: error.code, message: error.message };
      if (error.code === 'DPOP_REPLAYED') throw new SiegelError('PROOF_REPLAYED', { reason });
      if (error.code === 'DPOP_REPLAY_CACHE_FULL') throw new SiegelError('OVERLOADED', { reason });
      throw new SiegelError('PROOF_INVALID', { detail: error.message, reason });
    }
  }
}
