import { RaTlsResponse, SiegelError } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { Controller, Header, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import type { AttestingRoute } from '../../attest/attesting-route.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../environment.js';
import type { Granted } from '../../pipeline/interface.js';
import { ReleasePipeline } from '../../pipeline/release-pipeline.js';
import { TenantResolver } from '../../tenants/tenant-resolver.js';
import { attestationInput, certificateOf, raTlsPeer } from '../../tls/ra-tls-peer.js';

export const RA_TLS_PROTOCOL = 'ra-tls';

const Query = z.strictObject({ workload: z.string().min(1).max(128).optional() });

/**
 * Attestation by the TLS handshake: the client's certificate carries the quote, the handshake has proven its key, and the answer goes
 * back over that very connection. There is nothing to seal, since nobody else is at its other end.
 */
@ApiTags('enclaves')
@Controller('v1/attest/ra-tls')
export class RaTlsController {
  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Post()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @RouteConfig({ attests: RA_TLS_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({
    summary: 'Attest by an RA-TLS client certificate; receive token, secrets and TLS identity',
  })
  @ApiQuery({ name: 'workload', required: false, description: 'Only where a measurement serves several' })
  @ApiOkResponse({ schema: jsonSchemaOf(RaTlsResponse) })
  async attest(@Req() request: FastifyRequest): Promise<RaTlsResponse> {
    if (!this.environment.SIEGEL_RA_TLS)
      throw new SiegelError('NOT_FOUND', { detail: 'RA-TLS is off; set SIEGEL_RA_TLS=true' });
    if (request.body !== undefined && request.body !== null)
      throw new SiegelError('REQUEST_MALFORMED', {
        detail: 'the certificate says everything: send no body',
      });
    const query = Query.safeParse(request.query);
    if (!query.success)
      throw new SiegelError('REQUEST_MALFORMED', {
        detail: 'the only parameter is "workload", 1 to 128 characters',
      });
    const peer = raTlsPeer(certificateOf(request.raw.socket as TLSSocket));
    const { workload } = query.data;
    const granted = await this.pipeline.attest({
      ...attestationInput(peer),
      tenant: this.tenants.resolve(request.headers.host),
      protocol: RA_TLS_PROTOCOL,
      ...(workload === undefined ? {} : { workloadHint: workload }),
    });
    return openResponse(granted);
  }
}

function openResponse(granted: Granted): RaTlsResponse {
  const { token, session, workload, simulated, payload, promise } = granted;
  return {
    token,
    tokenType: 'DPoP',
    expiresAt: granted.expiresAt.toISOString(),
    sessionEndsAt: granted.sessionEndsAt.toISOString(),
    session,
    workload,
    simulated,
    payload,
    promise,
  };
}
