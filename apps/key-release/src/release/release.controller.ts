import { AttestResponse } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { Controller, Get, Header, Req } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { NATIVE_PROTOCOL, sealedResponse } from '../attest/attest.controller.js';
import { ReleasePipeline } from '../pipeline/release-pipeline.js';
import { SessionAuthentication } from '../session/session-authentication.js';

/** The release again with the token and proof of possession (DPoP, RFC 9449); no second quote. */
@ApiTags('enclaves')
@Controller('v1')
export class ReleaseController {
  constructor(
    private readonly pipeline: ReleasePipeline,
    private readonly authentication: SessionAuthentication,
  ) {}

  @Get('release')
  @Header('cache-control', 'no-store')
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Fetch the release again with the attestation token and a DPoP proof' })
  @ApiOkResponse({ schema: jsonSchemaOf(AttestResponse) })
  async release(@Req() request: FastifyRequest): Promise<AttestResponse> {
    const { session, key } = await this.authentication.authenticate(request, '/v1/release');
    const granted = await this.pipeline.release({
      tenant: session.tenant,
      protocol: NATIVE_PROTOCOL,
      session,
      key,
    });
    return sealedResponse(granted, key);
  }
}
