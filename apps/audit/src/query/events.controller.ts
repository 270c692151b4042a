import { SiegelError } from '#contracts';
import { jsonSchemaOf, schemaPipe } from '#platform';
import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AuditLog } from '../audit-log.js';
import { AccessGuard, Caller, Requires } from '../access/access.guard.js';
import type { Principal } from '../access/roles.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { BUCKET_MS, CountsQuery, EventCounts, EventPage, EventQuery, LoggedEvent } from './query-schema.js';
import { scopedFilters } from './scoped-filters.js';

/** How long a search waits for the index to have everything that was committed when it was asked. */
const FRESHNESS_MS = 2_000;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Searches over the log for operators and auditors. */
@ApiTags('events')
@ApiBearerAuth()
@UseGuards(AccessGuard)
@Requires('events.read')
@Controller('v1/events')
export class EventsController {
  constructor(@Inject(AuditLog) private readonly log: AuditLog) {}

  @Get()
  @ApiOperation({ summary: 'Logged events that match all given filters, a page at a time' })
  @ApiOkResponse({ schema: jsonSchemaOf(EventPage) })
  async search(
    @Query({ schema: EventQuery, pipes: [schemaPipe('QUERY_INVALID')] }) query: EventQuery,
    @Caller() caller: Principal,
  ): Promise<EventPage> {
    const { cursor, order, limit, ...filters } = query;
    const scoped = scopedFilters(filters, caller, 'events.read');
    const after = cursor === undefined ? undefined : decodeCursor(cursor, query);
    await this.log.follower.waitIndexed(this.log.sequencer.head, FRESHNESS_MS);
    const page = await this.log.reader.call('search', { filters: scoped, order, after, limit });
    const goesOn = page.more || order === 'oldest';
    return {
      events: page.events,
      more: page.more,
      next: goesOn ? encodeCursor(page.searchedTo, query) : null,
    };
  }

  @Get('counts')
  @ApiOperation({ summary: 'Number of events that match, by the values of a field and in steps of time' })
  @ApiOkResponse({ schema: jsonSchemaOf(EventCounts) })
  async counts(
    @Query({ schema: CountsQuery, pipes: [schemaPipe('QUERY_INVALID')] })
    { by, bucket, ...filters }: CountsQuery,
    @Caller() caller: Principal,
  ): Promise<EventCounts> {
    const scoped = scopedFilters(filters, caller, 'events.read');
    await this.log.follower.waitIndexed(this.log.sequencer.head, FRESHNESS_MS);
    const field = by === 'tcbStatus' ? 'tcb' : by;
    const query = { filters: scoped, by: field, bucketMs: BUCKET_MS[bucket] } as const;
    const counts = await this.log.reader.call('count', query);
    const total = counts.reduce((sum, { count }) => sum + count, 0);
    return {
      by,
      bucket,
      total,
      counts: bucket === 'none' ? counts.map((cell) => ({ ...cell, at: null })) : counts,
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One logged event by its id' })
  @ApiOkResponse({ schema: jsonSchemaOf(LoggedEvent) })
  async one(@Param('id') id: string, @Caller() caller: Principal): Promise<LoggedEvent> {
    await this.log.follower.waitIndexed(this.log.sequencer.head, FRESHNESS_MS);
    const event = UUID.test(id) ? await this.log.reader.call('byId', id) : undefined;
    // One of another tenant is none: that it exists is not told either.
    if (!event || !caller.may('events.read', tenantOf(event)))
      throw new SiegelError('NOT_FOUND', { detail: 'no event has this id' });
    return event;
  }
}

const tenantOf = ({ event }: LoggedEvent): string => String(event['tenant']);
