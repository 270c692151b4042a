import { AUDIT_EVENT_TYPES, type AuditEventType, Outcome, TENANT_PATTERN } from '#contracts';
import { z } from 'zod';
import type { FieldFilter } from '../index/field-values.js';
import { wordsOf } from '../index/reason-words.js';
import { EVENT_FIELDS } from './event-fields.js';

const eventType = z.enum(AUDIT_EVENT_TYPES as readonly [AuditEventType, ...AuditEventType[]]);

export const hexOf = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`), `must be ${bytes} bytes as hex`)
    .transform((value) => value.toLowerCase());

const fieldText = z
  .string()
  .max(1_200)
  .regex(/^[A-Za-z0-9.]{1,100}:./, 'must be PATH:VALUE')
  .refine((text) => EVENT_FIELDS.has(text.slice(0, text.indexOf(':'))), 'no event has this field');

/** Filters of events; all given ones must hold. */
export const EventFilters = z.strictObject({
  tenant: z.string().regex(TENANT_PATTERN).optional(),
  type: eventType.optional(),
  outcome: Outcome.optional(),
  workload: z.string().min(1).max(128).optional(),
  mrenclave: hexOf(32).optional(),
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
  mrsigner: hexOf(32).optional(),
  instance: z.string().min(1).max(128).optional().describe('Replica of the emitter'),
  simulated: z.enum(['true', 'false']).optional(),
  protocol: z.string().min(1).max(32).optional().describe('By which the enclave came'),
  fmspc: hexOf(6).optional(),
  boundKey: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('RFC 7638 thumbprint of the key that the evidence binds'),
  evidence: hexOf(32).optional().describe('SHA-256 of the evidence'),
  platform: hexOf(32).optional().describe("SHA-256 of the machine's PPID"),
  field: z
    .union([fieldText.transform((one) => [one]), z.array(fieldText).min(1).max(8)])
    .optional()
    .describe('Any other field, as PATH:VALUE, for example data.grants.objectName:db-password; up to eight'),
  from: z.iso.datetime({ offset: true }).optional().describe('Logged at or after this time'),
  to: z.iso.datetime({ offset: true }).optional().describe('Logged before this time'),
});
export type EventFilters = z.infer<typeof EventFilters>;

/** Filters as the reader takes them. */
export type ScopedFilters = Pick<
  EventFilters,
  | 'tenant'
  | 'type'
  | 'outcome'
  | 'workload'
  | 'mrenclave'
  | 'reason'
  | 'text'
  | 'emitter'
  | 'tcbStatus'
  | 'session'
  | 'from'
  | 'to'
> & {
  /** The tenants that the caller may see; undefined is no confinement. */
  tenants?: readonly string[] | undefined;
  /** Whatever else an event has. */
  fields?: readonly FieldFilter[] | undefined;
};

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
  more: z
    .boolean()
    .describe(
      'Whether the search is not at its end. A page may be short, or empty, and the search still go on',
    ),
  next: z
    .string()
    .nullable()
    .describe(
      'Cursor of the next page, null at the end; with order "oldest" it stays valid for events to come',
    ),
});
export type EventPage = z.infer<typeof EventPage>;

/** Steps of time, in milliseconds, in UTC. */
export const BUCKET_MS = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  none: Number.MAX_SAFE_INTEGER,
} as const;

/** Query of `GET /v1/events/counts`. */
export const CountsQuery = EventFilters.extend({
  by: z
    .enum(['outcome', 'type', 'reason', 'workload', 'mrenclave', 'tcbStatus', 'tenant', 'emitter'])
    .default('outcome'),
  bucket: z.enum(['minute', 'hour', 'day', 'none']).default('hour').describe('none: one step for all time'),
});
export type CountsQuery = z.infer<typeof CountsQuery>;

export const EventCounts = z.object({
  by: z.string(),
  bucket: z.string(),
  total: z.number().int(),
  counts: z.array(
    z.object({
      at: z.iso
        .datetime()
        .nullable()
        .describe('Begin of the step, by the time of logging; null without steps'),
      value: z.string().nullable().describe('null where events do not have the field'),
      count: z.number().int(),
    }),
  ),
});
export type EventCounts = z.infer<typeof EventCounts>;
