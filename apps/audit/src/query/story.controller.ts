import { SiegelError, TENANT_PATTERN } from '#contracts';
import { schemaPipe } from '#platform';
import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { AccessGuard, Caller, Requires } from '../access/access.guard.js';
import type { Principal } from '../access/roles.js';
import { AuditLog } from '../audit-log.js';
import { type EnclaveName, enclaveStory, type StorySummary, summaryOf } from './enclave-story.js';
import { hexOf, type LoggedEvent } from './query-schema.js';

const FRESHNESS_MS = 2_000;

const StoryQuery = z
  .strictObject({
    session: z.string().min(1).max(64).optional(),
    boundKey: z.string().min(1).max(64).optional(),
    mrenclave: hexOf(32).optional(),
    platform: hexOf(32).optional(),
    tenant: z.string().regex(TENANT_PATTERN).optional(),
    after: z.coerce.number().int().min(0).default(0).describe('`next` of the page before'),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  })
  .refine(
    ({ session, boundKey, mrenclave, platform }) =>
      [session, boundKey, mrenclave ?? platform].filter((given) => given !== undefined).length === 1 &&
      (mrenclave === undefined) === (platform === undefined),
    'exactly one of "session", "boundKey", and "mrenclave" with "platform"',
  );
type StoryQuery = z.infer<typeof StoryQuery>;

/** The story of one enclave, from its first attestation to its last release. */
@ApiTags('events')
@ApiBearerAuth()
@UseGuards(AccessGuard)
@Requires('events.read')
@Controller('v1/events')
export class StoryController {
  constructor(@Inject(AuditLog) private readonly log: AuditLog) {}

  @Get('story')
  @ApiOperation({
    summary:
      'All events of one enclave, by session, by bound key, or by measurement and machine, and what they come down to',
  })
  async story(
    @Query({ schema: StoryQuery, pipes: [schemaPipe('QUERY_INVALID')] }) query: StoryQuery,
    @Caller() caller: Principal,
  ): Promise<{ summary: StorySummary; events: LoggedEvent[]; next: number | null }> {
    const { tenant, after, limit } = query;
    const scope = { tenant, tenants: caller.scope('events.read', tenant) };
    await this.log.follower.waitIndexed(this.log.sequencer.head, FRESHNESS_MS);
    const { events, complete } = await enclaveStory(nameOf(query), scope, (search) =>
      this.log.reader.call('search', search),
    );
    if (events.length === 0) throw new SiegelError('NOT_FOUND', { detail: 'no event is about this enclave' });
    const rest = events.filter(({ position }) => position > after);
    const page = rest.slice(0, limit);
    return {
      summary: summaryOf(events, complete),
      events: page,
      next: rest.length > page.length ? page.at(-1)!.position : null,
    };
  }
}

/** The schema has seen to it that there is exactly one. */
function nameOf({ session, boundKey, mrenclave, platform }: StoryQuery): EnclaveName {
  if (session !== undefined) return { session };
  return boundKey === undefined ? { mrenclave: mrenclave!, platform: platform! } : { boundKey };
}
