import { ManifestHistory, ManifestView, SiegelError } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { manifestJsonSchema } from '#policy';
import { Body, Controller, Get, Header, Headers, Param, Put, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiConsumes, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ADMIN_ACTOR, AdminGuard } from '../admin/admin.guard.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import { ManifestStore } from './manifest-store.js';

@ApiTags('administration')
@ApiBearerAuth()
@Controller('v1')
export class ManifestController {
  constructor(
    private readonly store: ManifestStore,
    private readonly tenants: TenantResolver,
  ) {}

  @Get('manifest.schema.json')
  @ApiOperation({ summary: 'JSON Schema of manifests, for editors' })
  @Header('content-type', 'application/schema+json')
  schema(): string {
    return JSON.stringify(manifestJsonSchema());
  }

  @Get('tenants/:tenant/manifest')
  @UseGuards(AdminGuard)
  @ApiOkResponse({ schema: jsonSchemaOf(ManifestView) })
  async get(
    @Param('tenant') tenant: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ManifestView> {
    return tagged(await this.store.view(this.tenants.require(tenant)), reply);
  }

  @Get('tenants/:tenant/manifest/history')
  @UseGuards(AdminGuard)
  @ApiOkResponse({ schema: jsonSchemaOf(ManifestHistory) })
  history(@Param('tenant') tenant: string): Promise<ManifestHistory> {
    return this.store.history(this.tenants.require(tenant));
  }

  /** Compare-and-swap: `If-Match: "<version>"` of the manifest in force, or `If-None-Match: *` for the first. */
  @Put('tenants/:tenant/manifest')
  @UseGuards(AdminGuard)
  @ApiConsumes('application/yaml', 'application/json')
  @ApiOperation({ summary: 'Set the manifest; the text is kept as it is sent' })
  @ApiOkResponse({ schema: jsonSchemaOf(ManifestView) })
  async set(
    @Param('tenant') tenant: string,
    @Body() body: unknown,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ManifestView> {
    if (typeof body !== 'string')
      throw new SiegelError('CONTENT_TYPE_UNSUPPORTED', { detail: 'send application/yaml' });
    const expected = expectedVersion(ifMatch, ifNoneMatch);
    return tagged(await this.store.set(this.tenants.require(tenant), body, expected, ADMIN_ACTOR), reply);
  }
}

function expectedVersion(ifMatch: string | undefined, ifNoneMatch: string | undefined): number {
  if (ifNoneMatch === '*' && ifMatch === undefined) return 0;
  const version = /^"?(\d{1,9})"?$/.exec(ifMatch ?? '')?.[1];
  if (version === undefined || ifNoneMatch !== undefined) {
    throw new SiegelError('REQUEST_MALFORMED', {
      detail: 'send If-Match: "<version in force>", or If-None-Match: * for the first manifest',
    });
  }
  return Number(version);
}

function tagged(view: ManifestView, reply: FastifyReply): ManifestView {
  reply.header('etag', `"${view.version}"`);
  return view;
}
