import { SiegelError } from '#contracts';
import { schemaPipe } from '#platform';
import {
  Controller,
  Get,
  Headers,
  Inject,
  Logger,
  type OnModuleDestroy,
  Query,
  Res,
  UseGuards,
} from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { AccessGuard, Caller, Requires } from '../access/access.guard.js';
import type { Principal } from '../access/roles.js';
import { AuditLog } from '../audit-log.js';
import { LiveStream } from './live-stream.js';
import { EventFilters } from './query-schema.js';
import { scopedFilters } from './scoped-filters.js';

const MAX_SUBSCRIBERS = 128;

const StreamQuery = EventFilters.omit({ from: true, to: true }).extend({
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Position behind which to begin; 0 is the beginning of the log. Default: events to come'),
});
type StreamQuery = z.infer<typeof StreamQuery>;

/** The live view: logged events as server-sent events. */
@ApiTags('events')
@ApiBearerAuth()
@UseGuards(AccessGuard)
@Requires('events.read')
@Controller('v1/events')
export class StreamController implements OnModuleDestroy {
  private readonly streams = new Set<LiveStream>();
  private readonly logger = new Logger('live');

  constructor(@Inject(AuditLog) private readonly log: AuditLog) {}

  @Get('stream')
  @ApiOperation({ summary: 'Events as they are logged; resumes behind Last-Event-ID without loss' })
  @ApiHeader({
    name: 'last-event-id',
    required: false,
    description: 'Position of the last event that was seen',
  })
  @ApiProduces('text/event-stream')
  async stream(
    @Query({ schema: StreamQuery, pipes: [schemaPipe('QUERY_INVALID')] }) { after, ...filters }: StreamQuery,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Res() reply: FastifyReply,
    @Caller() caller: Principal,
  ): Promise<void> {
    const scoped = scopedFilters(filters, caller, 'events.read');
    if (this.streams.size >= MAX_SUBSCRIBERS) throw new SiegelError('OVERLOADED');
    if (lastEventId !== undefined && !/^[0-9]{1,15}$/.test(lastEventId))
      throw new SiegelError('CURSOR_INVALID');
    const position = lastEventId === undefined ? (after ?? this.log.sequencer.head) : Number(lastEventId);
    const stream = new LiveStream(this.log.reader, this.log.follower, scoped);
    this.streams.add(stream);
    try {
      await stream.run(reply, position);
    } catch (error) {
      this.logger.warn(`a live stream ended: ${(error as Error).message}`);
    } finally {
      this.streams.delete(stream);
    }
  }

  onModuleDestroy(): void {
    for (const stream of this.streams) stream.close();
  }
}
