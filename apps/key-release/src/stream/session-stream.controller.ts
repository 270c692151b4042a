import { SiegelError } from '#contracts';
import { Controller, Get, Headers, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SessionAuthentication } from '../session/session-authentication.js';
import { LiveSession } from './live-session.js';
import { LiveSessions } from './live-sessions.js';

/** The live channel of a session: rotated secrets come by themselves, sealed as ever. */
@ApiTags('enclaves')
@Controller('v1/session')
export class SessionStreamController {
  constructor(
    private readonly authentication: SessionAuthentication,
    private readonly live: LiveSessions,
  ) {}

  @Get('stream')
  @ApiBearerAuth()
  @ApiOperation({
    summary: 'Server-sent events: "release" (an AttestResponse) when something changed, "denied", "end"',
  })
  @ApiHeader({
    name: 'last-event-id',
    required: false,
    description: 'Id of the last release; without it, or when there is a newer one, one is sent at once',
  })
  @ApiProduces('text/event-stream')
  async stream(
    @Headers('last-event-id') lastId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (lastId !== undefined && !/^[A-Za-z0-9_-]{22}$/.test(lastId)) throw new SiegelError('CURSOR_INVALID');
    const { session, key } = await this.authentication.authenticate(request, '/v1/session/stream');
    this.live.requireRoom();
    reply.hijack();
    const stream: LiveSession = new LiveSession(session, key, reply.raw, () => this.live.remove(stream));
    this.live.add(stream, lastId);
  }
}
