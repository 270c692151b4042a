import { Controller, Header, HttpCode, Param, Post, Req, Res, UseFilters } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { TenantResolver } from '../../tenants/tenant-resolver.js';
import { AkvError, AkvErrorFilter } from './akv-error.js';
import { KeyReleaseService } from './key-release.service.js';
import { DEFAULT_WRAPPING, type Wrapping, WRAPPINGS } from './key-wrap.js';

const Body = z.object({
  target: z.string().min(1).max(65_536),
  nonce: z.string().max(1_024).nullish(),
  enc: z.enum(Object.keys(WRAPPINGS) as [Wrapping, ...Wrapping[]]).nullish(),
});
const NAME = /^[0-9A-Za-z-]{1,127}$/;
const VERSION = /^[0-9a-fA-F]{32}$/;
const API_VERSION = /^[0-9A-Za-z.-]{1,32}$/;

/** `POST /keys/{name}/{version}/release`, as Key Vault has it (data plane, 7.3 and later). */
@ApiTags('key release in the protocol of Azure Key Vault')
@UseFilters(AkvErrorFilter)
@Controller('keys')
export class AkvReleaseController {
  constructor(
    private readonly releases: KeyReleaseService,
    private readonly tenants: TenantResolver,
  ) {}

  @Post(':name/release')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'Release the latest version of a key to the holder of an attestation token' })
  releaseLatest(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ value: string }> {
    return this.answer(name, undefined, request, reply);
  }

  @Post(':name/:version/release')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({ summary: 'Release one version of a key to the holder of an attestation token' })
  release(
    @Param('name') name: string,
    @Param('version') version: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ value: string }> {
    // The SDK asks for the latest version by an empty one in some releases.
    return this.answer(name, version === '' ? undefined : version, request, reply);
  }

  private async answer(
    name: string,
    version: string | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<{ value: string }> {
    if (!NAME.test(name) || (version !== undefined && !VERSION.test(version)))
      throw AkvError.badParameter('The request URI contains an invalid name or version.');
    const apiVersion = (request.query as Record<string, unknown>)['api-version'];
    if (typeof apiVersion !== 'string' || !API_VERSION.test(apiVersion))
      throw AkvError.badParameter('api-version must be specified');
    const parsed = Body.safeParse(request.body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw AkvError.badParameter(
        `${issue?.path.map(String).join('.') || 'body'}: ${issue?.message ?? 'invalid'}`,
      );
    }
    const { target, nonce, enc } = parsed.data;
    const value = await this.releases.release({
      tenant: this.tenants.resolve(request.headers.host),
      name,
      version: version?.toLowerCase(),
      apiVersion,
      target,
      nonce: nonce ?? undefined,
      wrapping: enc ?? DEFAULT_WRAPPING,
    });
    void reply.header('x-ms-request-id', request.id);
    return { value };
  }
}
