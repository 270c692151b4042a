import { RevocationView, SiegelError } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { Controller, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ADMIN_ACTOR, AdminGuard } from '../admin/admin.guard.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import { RevokedSessions } from './revoked-sessions.js';

const SessionId = z.uuid();

/** Sessions of enclaves, as an operator sees them. */
@ApiTags('administration')
@ApiBearerAuth()
@UseGuards(AdminGuard)
@Controller('v1/tenants/:tenant/sessions/:session')
export class SessionsController {
  constructor(
    private readonly sessions: RevokedSessions,
    private readonly tenants: TenantResolver,
  ) {}

  @Post('revoke')
  @HttpCode(200)
  @ApiOperation({ summary: 'End a session: its token fetches no release any more, on any replica' })
  @ApiOkResponse({ schema: jsonSchemaOf(RevocationView) })
  revoke(@Param('tenant') tenant: string, @Param('session') session: string): Promise<RevocationView> {
    const id = SessionId.safeParse(session.toLowerCase());
    if (!id.success) throw new SiegelError('REQUEST_MALFORMED', { detail: 'a session is named by a UUID' });
    return this.sessions.revoke(this.tenants.require(tenant), id.data, ADMIN_ACTOR);
  }
}
