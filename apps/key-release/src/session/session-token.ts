import { SiegelError } from '#contracts';
import { type BindingConvention, BINDINGS } from '#evidence';
import { PkiError, PublicKey, SigningKeys, signJwt, verifyJwt } from '#pki';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { signerRefusal } from '../pipeline/vault-refusals.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { AttestedSession } from './attested-session.js';

export const TOKEN_KEYS = Symbol('TOKEN_KEYS');

/** What a token is for. Tokens of one kind are never taken for those of another: both members are checked. */
export interface TokenKind {
  readonly typ: string;
  readonly audience: string;
}
const ATTESTATION: TokenKind = { typ: 'siegel-attestation+jwt', audience: 'siegel' };
const MAX_TOKEN_BYTES = 8 * 1024;

/** What the token says of the session beside the registered claims. */
const SiegelClaims = AttestedSession.extend({
  session: z.string(),
  tenant: z.string(),
  workload: z.string(),
  /** What the evidence claimed besides, as hex by name (AttestationInput.customClaims). */
  customClaims: z.record(z.string(), z.string()).optional(),
});
export type SessionClaims = z.infer<typeof SiegelClaims> & {
  readonly tokenId: string;
  readonly expiresAt: Date;
  readonly thumbprint: string;
};

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  readonly expiresAt: Date;
}

/** TCB statuses that a relying party may take without a second look, for the EAR status. */
const AFFIRMING = new Set(['UpToDate', 'SWHardeningNeeded']);

/**
 * Attestation tokens: ES256 JWTs with EAT and EAR claims (RFC 9711, draft-ietf-rats-ear), `cnf` = the bound key (RFC 7800, RFC 9449 §6.1),
 * at most 15 minutes. Evidence that binds no key names none: anybody could have sent it with a key of his own. A simulated root shows in every token.
 */
@Injectable()
export class SessionTokens {
  constructor(
    @Inject(TOKEN_KEYS) private readonly keys: SigningKeys,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  async issue(
    session: z.infer<typeof SiegelClaims>,
    key: PublicKey,
    tokenId: string,
    ttlSeconds: number,
    now: Date,
    kind: TokenKind = ATTESTATION,
  ): Promise<IssuedToken> {
    const iat = Math.floor(now.getTime() / 1_000);
    const exp = iat + Math.min(ttlSeconds, this.environment.SIEGEL_TOKEN_TTL_SECONDS);
    const { claims } = session;
    const bindsKey =
      Object.hasOwn(BINDINGS, session.binding) && BINDINGS[session.binding as BindingConvention].bindsKey;
    const token = await this.signed(() =>
      signJwt(
        {
          iss: this.environment.SIEGEL_PUBLIC_URL,
          sub: `${session.tenant}/${session.workload}`,
          aud: kind.audience,
          iat,
          nbf: iat,
          exp,
          jti: tokenId,
          ...(bindsKey && { cnf: { jkt: key.thumbprint, jwk: key.jwk } }),
          eat_profile: 'tag:github.com,2023:veraison/ear',
          dbgstat: claims.debug ? 'enabled' : 'disabled',
          'ear.verifier-id': { developer: 'siegel', build: '0.1.0' },
          submods: {
            [claims.tee]: {
              'ear.status': AFFIRMING.has(claims.tcbStatus) && !claims.debug ? 'affirming' : 'warning',
            },
          },
          siegel: session,
        },
        this.keys.current(now),
        { typ: kind.typ, maxBytes: MAX_TOKEN_BYTES, maxLifetimeSeconds: 900 },
      ),
    );
    return { token, tokenId, expiresAt: new Date(exp * 1_000) };
  }

  /** The key may be a vault's. @throws SiegelError VAULT_… */
  private async signed(sign: () => Promise<string>): Promise<string> {
    try {
      return await sign();
    } catch (error) {
      throw signerRefusal(error);
    }
  }

  /** @throws SiegelError TOKEN_INVALID or TOKEN_EXPIRED */
  async open(token: string, now: Date): Promise<SessionClaims> {
    return (await this.verified(token, now, ATTESTATION)).session;
  }

  /** A token of another kind, and the key that its session is bound to. @throws SiegelError TOKEN_INVALID or TOKEN_EXPIRED */
  async openKind(
    token: string,
    now: Date,
    kind: TokenKind,
  ): Promise<{ session: SessionClaims; key: PublicKey }> {
    const { session, jwk } = await this.verified(token, now, kind);
    return { session, key: PublicKey.fromJwk(jwk) };
  }

  private async verified(
    token: string,
    now: Date,
    kind: TokenKind,
  ): Promise<{ session: SessionClaims; jwk: unknown }> {
    try {
      const { claims } = await verifyJwt(token, {
        keys: (kid) => this.keys.verificationKey(kid, now),
        typ: kind.typ,
        issuer: this.environment.SIEGEL_PUBLIC_URL,
        audience: kind.audience,
        now,
        clockSkewSeconds: 0,
        maxLifetimeSeconds: 900,
        maxBytes: MAX_TOKEN_BYTES,
      });
      const session = SiegelClaims.parse(claims['siegel']);
      const { jkt, jwk } = z.object({ jkt: z.string(), jwk: z.unknown() }).parse(claims['cnf']);
      return {
        session: {
          ...session,
          tokenId: z.string().parse(claims.jti),
          expiresAt: new Date(claims.exp * 1_000),
          thumbprint: jkt,
        },
        jwk,
      };
    } catch (error) {
      if (error instanceof PkiError && error.code === 'JWT_EXPIRED') throw new SiegelError('TOKEN_EXPIRED');
      throw new SiegelError('TOKEN_INVALID', {
        reason: {
          code: error instanceof PkiError ? error.code : 'TOKEN_CLAIMS',
          message: (error as Error).message.slice(0, 300),
        },
      });
    }
  }
}
