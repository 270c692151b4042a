import { schemaPipe } from '#platform';
import { Controller, Get, Inject, Query, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { AccessGuard, Caller, Requires } from '../access/access.guard.js';
import type { Principal } from '../access/roles.js';
import { AuditLog } from '../audit-log.js';
import { EXPORT_FORMATS } from './export-format.js';
import { EventFilters, type ScopedFilters } from './query-schema.js';
import { scopedFilters } from './scoped-filters.js';

const PAGE = 500;
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
      .send(Readable.from(this.lines(format, scoped, end), { highWaterMark: 4 }));
  }

  /** Pages of lines up to the entry at position `end`. */
  private async *lines(
    format: ExportQuery['format'],
    filters: ScopedFilters,
    end: number,
  ): AsyncGenerator<string> {
    const { head, line } = EXPORT_FORMATS[format];
    if (head !== '') yield head;
    let after = 0;
    for (let more = true; more && after < end;) {
      const page = await this.log.reader.call('search', { filters, order: 'oldest', after, limit: PAGE });
      const text = page.events
        .filter(({ position }) => position <= end)
        .map(line)
        .join('');
      if (text !== '') yield text;
      after = page.searchedTo;
      more = page.more;
    }
  }
}
