import { AttestResponse, SiegelError } from '#contracts';
import { PkiError, ReplayCache, verifyDpopProof } from '#pki';
import { jsonSchemaOf } from '#platform';
import { Controller, Get, Header, Headers, Inject, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { NATIVE_PROTOCOL, sealedResponse } from '../attest/attest.controller.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ReleasePipeline } from '../pipeline/release-pipeline.js';
import { SessionTokens } from '../session/session-token.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';

/** The release again with the token and proof of possession (DPoP, RFC 9449); no second quote. */
@ApiTags('enclaves')
@Controller('v1')
export class ReleaseController {
  private readonly replay = new ReplayCache({ maxEntries: 200_000 });

  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tokens: SessionTokens,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Get('release')
  @Header('cache-control', 'no-store')
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Fetch the release again with the attestation token and a DPoP proof' })
  @ApiOkResponse({ schema: jsonSchemaOf(AttestResponse) })
  async release(
    @Headers('authorization') authorization: string | undefined,
    @Headers('dpop') proof: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<AttestResponse> {
    const token = /^DPoP ([A-Za-z0-9_.-]{1,8192})$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      throw new SiegelError('TOKEN_INVALID', {
        detail: 'send "Authorization: DPoP <token>" and a DPoP header',
      });
    }
    if (proof === undefined) throw new SiegelError('PROOF_INVALID', { detail: 'the DPoP header is missing' });
    const now = new Date();
    const session = await this.tokens.open(token, now);
    if (session.tenant !== this.tenants.resolve(request.headers.host)) {
      throw new SiegelError('TOKEN_INVALID', {
        reason: { code: 'TOKEN_TENANT', message: 'the token is of another tenant' },
      });
    }
    const { key } = await this.prove(proof, token, session.thumbprint, now);
    const granted = await this.pipeline.release({
      tenant: session.tenant,
      protocol: NATIVE_PROTOCOL,
      session,
      key,
    });
    return sealedResponse(granted, key);
  }

  private async prove(proof: string, accessToken: string, jkt: string, now: Date) {
    try {
      return await verifyDpopProof({
        proof,
        method: 'GET',
        url: `${this.environment.SIEGEL_PUBLIC_URL}/v1/release`,
        now,
        replay: this.replay,
        accessToken,
        jkt,
      });
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      const reason = { code: error.code, message: error.message };
      if (error.code === 'DPOP_REPLAYED') throw new SiegelError('PROOF_REPLAYED', { reason });
      if (error.code === 'DPOP_REPLAY_CACHE_FULL') throw new SiegelError('OVERLOADED', { reason });
      throw new SiegelError('PROOF_INVALID', { detail: error.message, reason });
    }
  }
}
