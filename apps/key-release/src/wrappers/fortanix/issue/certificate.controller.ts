import { FortanixIssueRequest, FortanixIssueResponse } from '#contracts';
import { jsonSchemaOf, schemaPipe } from '#platform';
import { Body, Controller, Header, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { AttestingRoute } from '../../../attest/attesting-route.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { TenantResolver } from '../../../tenants/tenant-resolver.js';
import { FORTANIX_PROTOCOL, requireFortanix } from '../protocol.js';
import { CertificateIssue } from './certificate-issue.js';

/** Where node agents bring the certificate requests of their enclaves. They are not trusted: the quote decides. */
@ApiTags('enclaves')
@Controller('v1/fortanix/certificate')
export class CertificateController {
  constructor(
    private readonly certificates: CertificateIssue,
    private readonly tenants: TenantResolver,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  @Post('issue')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @RouteConfig({ attests: FORTANIX_PROTOCOL } satisfies AttestingRoute)
  @ApiOperation({ summary: "Certificate for an enclave of Fortanix' em-app, from its node agent" })
  @ApiOkResponse({ schema: jsonSchemaOf(FortanixIssueResponse) })
  async issue(
    @Body({ schema: FortanixIssueRequest, pipes: [schemaPipe('REQUEST_MALFORMED')] })
    { csr }: FortanixIssueRequest,
    @Req() request: FastifyRequest,
  ): Promise<FortanixIssueResponse> {
    requireFortanix(this.environment);
    return this.certificates.issue(this.tenants.resolve(request.headers.host), csr);
  }
}
