import { isPkiError, type SigningKeys, signJws, verifyJws } from '#pki';
import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { signerRefusal } from '../../../pipeline/vault-refusals.js';
import { AttestedSession } from '../../../session/attested-session.js';
import { type SessionClaims, TOKEN_KEYS } from '../../../session/session-token.js';
import { TeeKey } from '../attest/tee-key.js';
import { KbsError } from '../protocol/kbs-error.js';
import { PROTOCOL_VERSIONS } from '../protocol/versions.js';
import type { KbsSession } from '../session/kbs-session.js';
import { evidenceClaims } from './evidence-claims.js';
import { appraisalOf } from './trust-vector.js';

const PROFILE = 'tag:github.com,2024:confidential-containers/Trustee';
/** The issuer that the real service names. Our own address is in `siegel`, which alone is looked at here. */
const ISSUER = 'CoCo-Attestation-Service';
const TYP = 'JWT';
const MAX_TOKEN_CHARACTERS = 12 * 1024;

const OwnClaims = z.object({
  iss: z.string(),
  session: z.string(),
  tenant: z.string(),
  workload: z.string(),
  version: z.enum(PROTOCOL_VERSIONS),
  simulated: z.boolean(),
  /** What a later read is decided by, whoever shows the token. */
  attested: AttestedSession.optional(),
});
const Payload = z.object({
  eat_profile: z.literal(PROFILE),
  iss: z.literal(ISSUER),
  iat: z.number().int(),
  exp: z.number().int(),
  submods: z.object({
    cpu0: z.object({
      'ear.veraison.annotated-evidence': z.object({
        runtime_data_claims: z.object({ 'tee-pubkey': z.unknown() }),
      }),
    }),
  }),
  siegel: OwnClaims,
});

/** What the token repeats of the handshake. */
export interface RuntimeData {
  readonly nonce: string;
  readonly additional: string | undefined;
}

/**
 * EAR tokens as Trustee issues them (ES256, key and `kid` in the header), which clients of the passport mode carry to this service or
 * another. Here only the keys of our own key set count, found by `kid`; a key in a token's header is for others.
 */
@Injectable()
export class EarTokens {
  constructor(
    @Inject(TOKEN_KEYS) private readonly keys: SigningKeys,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  /** @throws SiegelError VAULT_… where the signing key is a vault's */
  async issue(session: KbsSession, runtime: RuntimeData, now: Date): Promise<string> {
    const { attested, key, tenant, workload, version } = session;
    const claims = attested?.claims;
    const { status, vector } = appraisalOf(claims);
    const payload = {
      eat_profile: PROFILE,
      iat: Math.floor(now.getTime() / 1_000),
      'ear.verifier-id': { developer: 'siegel', build: '0.1.0' },
      submods: {
        cpu0: {
          'ear.status': status,
          'ear.trustworthiness-vector': vector,
          'ear.appraisal-policy-id': 'default',
          'ear.veraison.annotated-evidence': {
            ...(claims
              ? {
                  [claims.tee]: evidenceClaims(claims, attested.collateral, now),
                  report_data: claims.reportData,
                }
              : {}),
            runtime_data_claims: {
              ...(runtime.additional === undefined ? {} : { 'additional-evidence': runtime.additional }),
              nonce: runtime.nonce,
              'tee-pubkey': key.jwk,
            },
          },
          'ear.trustee.identifiers': { validated: {} },
        },
      },
      exp: Math.floor(session.expiresAt.getTime() / 1_000),
      iss: ISSUER,
      siegel: {
        iss: this.environment.SIEGEL_PUBLIC_URL,
        session: session.session,
        tenant,
        workload,
        version,
        simulated: claims?.simulated ?? true,
        ...(attested ? { attested: kept(attested) } : {}),
      },
    };
    const signer = this.keys.current(now);
    const { kty, crv, x, y } = signer.jwk();
    try {
      return await signJws(Buffer.from(JSON.stringify(payload)), signer, {
        typ: TYP,
        header: { jwk: { alg: signer.alg, kty, crv, x, y } },
        maxBytes: MAX_TOKEN_CHARACTERS,
      });
    } catch (error) {
      throw signerRefusal(error);
    }
  }

  /** The session that a token of ours stands for. @throws KbsError 401, whatever is wrong with it */
  async open(token: string, now: Date): Promise<KbsSession> {
    const payload = await this.verified(token, now);
    const { iss, simulated, attested, ...own } = payload.siegel;
    if (iss !== this.environment.SIEGEL_PUBLIC_URL) throw refused('the token is of another service');
    if (simulated && !this.environment.SIEGEL_SIMULATION)
      throw refused('the token rests on simulated evidence');
    const expiresAt = new Date(payload.exp * 1_000);
    const evidence = payload.submods.cpu0['ear.veraison.annotated-evidence'];
    const key = TeeKey.read(evidence.runtime_data_claims['tee-pubkey'], own.version);
    const { session, tenant, workload } = own;
    const identity = { session, tenant, workload, tokenId: session, expiresAt, thumbprint: key.thumbprint };
    return {
      ...own,
      key,
      expiresAt,
      attested: attested === undefined ? undefined : { ...attested, ...identity },
    };
  }

  private async verified(token: string, now: Date): Promise<z.infer<typeof Payload>> {
    let payload: z.infer<typeof Payload>;
    try {
      const jws = await verifyJws(token, {
        keys: (kid) => this.keys.verificationKey(kid, now),
        typ: TYP,
        maxBytes: MAX_TOKEN_CHARACTERS,
      });
      payload = Payload.parse(JSON.parse(jws.payload.toString('utf8')));
    } catch (error) {
      throw refused(
        isPkiError(error) ? `the token was not accepted (${error.code})` : 'the token is none of ours',
      );
    }
    if (!(payload.exp * 1_000 > now.getTime())) throw refused('the token has expired');
    return payload;
  }
}

/** Without what stands elsewhere in the token. */
function kept(attested: SessionClaims): z.infer<typeof AttestedSession> {
  const {
    tokenId: _id,
    expiresAt: _expiry,
    thumbprint: _key,
    session: _s,
    tenant: _t,
    workload: _w,
    ...rest
  } = attested;
  return rest;
}

const refused = (detail: string): KbsError => KbsError.notAttested(detail, 'TokenVerifierError');
