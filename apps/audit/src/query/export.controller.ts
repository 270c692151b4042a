import { schemaPipe } from '#platform';
import { Controller, Get, Inject, Query, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { AccessGuard, Caller, Requires } from '../access/access.guard.js';
import type { Principal } from '../access/roles.js';
import { AuditLog } from '../audit-log.js';
import { EXPORT_FORMATS } from './export-format.js';
import { exportStream } from './export-stream.js';
import { EventFilters } from './query-schema.js';
import { scopedFilters } from './scoped-filters.js';

const FRESHNESS_MS = 2_000;

const ExportQuery = EventFilters.extend({ format: z.enum(['ndjson', 'csv', 'ocsf']).default('ndjson') });
type ExportQuery = z.infer<typeof ExportQuery>;

/** Everything that matches, as one stream, oldest first; the reader of the stream sets the pace. */
@ApiTags('events')
@ApiBearerAuth()
@UseGuards(AccessGuard)
@Requires('events.export')
@Controller('v1/events')
export class ExportController {
  constructor(@Inject(AuditLog) private readonly log: AuditLog) {}

  @Get('export')
  @ApiOperation({ summary: 'All events that match and are logged by now, as NDJSON, CSV or OCSF 1.1.0' })
  @ApiProduces('application/x-ndjson', 'text/csv')
  async export(
    @Query({ schema: ExportQuery, pipes: [schemaPipe('QUERY_INVALID')] }) { format, ...filters }: ExportQuery,
    @Res() reply: FastifyReply,
    @Caller() caller: Principal,
  ): Promise<void> {
    const scoped = scopedFilters(filters, caller, 'events.export');
    const { contentType, extension } = EXPORT_FORMATS[format];
    const end = this.log.sequencer.head;
    await this.log.follower.waitIndexed(end, FRESHNESS_MS);
    await reply
      .header('content-type', contentType)
      .header('cache-control', 'no-store')
      .header('content-disposition', `attachment; filename="siegel-events.${extension}"`)
      .send(
        exportStream((search) => this.log.reader.call('search', search), { format, filters: scoped, end }),
      );
  }
}
