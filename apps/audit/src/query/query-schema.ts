import { AUDIT_EVENT_TYPES, type AuditEventType, Outcome, TENANT_PATTERN } from '#contracts';
import { z } from 'zod';
import { wordsOf } from '../index/reason-words.js';

const eventType = z.enum(AUDIT_EVENT_TYPES as readonly [AuditEventType, ...AuditEventType[]]);

/** Filters of events; all given ones must hold. */
export const EventFilters = z.strictObject({
  tenant: z.string().regex(TENANT_PATTERN).optional(),
  type: eventType.optional(),
  outcome: Outcome.optional(),
  workload: z.string().min(1).max(128).optional(),
  mrenclave: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'must be 32 bytes as hex')
    .transform((value) => value.toLowerCase())
    .optional(),
  reason: z.string().min(1).max(64).optional().describe('Code of the reason, for example RELEASE_DENIED'),
  text: z
    .string()
    .max(200)
    .refine((text) => wordsOf(text).length > 0, 'must have a letter or digit')
    .optional()
    .describe('Words that the reason, its code or the failed conditions must all have'),
  emitter: z.string().min(1).max(64).optional(),
  tcbStatus: z.string().min(1).max(64).optional(),
  session: z.string().min(1).max(64).optional(),
  from: z.iso.datetime({ offset: true }).optional().describe('Logged at or after this time'),
  to: z.iso.datetime({ offset: true }).optional().describe('Logged before this time'),
});
export type EventFilters = z.infer<typeof EventFilters>;

/** Filters, confined to the tenants that the caller may see; undefined is no confinement. */
export type ScopedFilters = EventFilters & { tenants?: readonly string[] | undefined };

/** Query of `GET /v1/events`. */
export const EventQuery = EventFilters.extend({
  order: z.enum(['newest', 'oldest']).default('newest'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(128).optional().describe('`next` of the previous page'),
});
export type EventQuery = z.infer<typeof EventQuery>;

/** One logged event. `event`, `kid` and `sig` are exactly what the log's leaf holds. */
export const LoggedEvent = z.object({
  position: z.number().int().describe('Over all logs; grows with time. Also the id in the live stream'),
  log: z.string().describe('Origin of the log'),
  index: z.number().int().describe('Index of the event in the log'),
  loggedAt: z.iso.datetime().describe("The log's time of the commit"),
  event: z
    .looseObject({ id: z.string(), type: z.string(), outcome: z.string() })
    .describe('The event as it was signed'),
  kid: z.string(),
  sig: z.string().describe('Ed25519 of the emitter over the canonical JSON (RFC 8785) of event'),
});
export type LoggedEvent = z.infer<typeof LoggedEvent>;

export const EventPage = z.object({
  events: z.array(LoggedEvent),
  next: z
    .string()
    .nullable()
    .describe(
      'Cursor of the next page, null at the end; with order "oldest" it stays valid for events to come',
    ),
});
export type EventPage = z.infer<typeof EventPage>;

/** Steps of time, in milliseconds, in UTC. */
export const BUCKET_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** Query of `GET /v1/events/counts`. */
export const CountsQuery = EventFilters.extend({
  by: z
    .enum(['outcome', 'type', 'reason', 'workload', 'mrenclave', 'tcbStatus', 'tenant', 'emitter'])
    .default('outcome'),
  bucket: z.enum(['minute', 'hour', 'day']).default('hour'),
});
export type CountsQuery = z.infer<typeof CountsQuery>;

export const EventCounts = z.object({
  by: z.string(),
  bucket: z.string(),
  counts: z.array(
    z.object({
      at: z.iso.datetime().describe('Begin of the step, by the time of logging'),
      value: z.string().nullable().describe('null where events do not have the field'),
      count: z.number().int(),
    }),
  ),
});
export type EventCounts = z.infer<typeof EventCounts>;
