import { AttestRequest, AttestResponse, SiegelError, type ReleasePayload } from '#contracts';
import { type PublicKey, sealJwe } from '#pki';
import { jsonSchemaOf, schemaPipe } from '#platform';
import { Body, Controller, Header, HttpCode, Post, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Granted } from '../pipeline/interface.js';
import { ReleasePipeline } from '../pipeline/release-pipeline.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import type { AttestingRoute } from './attesting-route.js';
import { boundKey } from './bound-key.js';
import { presentedBinding } from './presented-binding.js';

export const NATIVE_PROTOCOL = 'siegel';

/** The native protocol: one request, evidence in, sealed release out. */
@ApiTags('enclaves')
@Controller('v1')
export class AttestController {
  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
  ) {}

  @Post('attest')
  @RouteConfig({ attests: NATIVE_PROTOCOL } satisfies AttestingRoute)
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'Attest once; receive token, secrets and TLS identity, sealed to the bound key' })
  @ApiOkResponse({ schema: jsonSchemaOf(AttestResponse) })
  async attest(
    @Body({
      schema: AttestRequest,
      pipes: [
        schemaPipe('REQUEST_MALFORMED', { evidence: 'EVIDENCE_TOO_LARGE', binding: 'BINDING_UNKNOWN' }),
      ],
    })
    body: AttestRequest,
    @Req() request: FastifyRequest,
  ): Promise<AttestResponse> {
    if (body.evidence === '') throw new SiegelError('EVIDENCE_EMPTY');
    const binding = presentedBinding(body);
    const key = boundKey(body.publicKey);
    if (!key.canReceive) {
      throw new SiegelError('PUBLIC_KEY_INVALID', {
        detail: 'nothing can be sealed to an Ed25519 key; use P-256',
      });
    }
    const granted = await this.pipeline.attest({
      tenant: this.tenants.resolve(request.headers.host),
      protocol: NATIVE_PROTOCOL,
      evidence: Buffer.from(body.evidence, 'base64url'),
      format: body.format,
      binding: {
        ...binding,
        key,
        ...(body.challenge === undefined ? {} : { challenge: body.challenge }),
      },
      ...(body.workload === undefined ? {} : { workloadHint: body.workload }),
    });
    return sealedResponse(granted, key);
  }
}

/** Seals the release to the bound key; the plaintext is wiped as far as the language lets us. */
export function sealedResponse(granted: Granted, key: PublicKey): AttestResponse {
  const plaintext = Buffer.from(JSON.stringify(granted.payload satisfies ReleasePayload));
  const release = sealJwe(plaintext, key, { cty: 'application/siegel-release+json' });
  plaintext.fill(0);
  return {
    token: granted.token,
    tokenType: 'DPoP',
    expiresAt: granted.expiresAt.toISOString(),
    sessionEndsAt: granted.sessionEndsAt.toISOString(),
    session: granted.session,
    workload: granted.workload,
    simulated: granted.simulated,
    release,
    promise: granted.promise,
  };
}
