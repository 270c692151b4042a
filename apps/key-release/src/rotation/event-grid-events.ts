import { SiegelError } from '#contracts';
import { z } from 'zod';

/** What Event Grid says happened to an object of a vault (azure.md §5.4). */
export interface VaultNotification {
  readonly id: string;
  /** Name of the vault in Azure, lower case. */
  readonly azureName: string;
  readonly objectType: 'object' | 'key';
  readonly objectName: string;
}

export type EventGridRequest =
  | { readonly kind: 'validation'; readonly code: string; readonly azureNames: readonly string[] }
  | {
      readonly kind: 'events';
      readonly azureNames: readonly string[];
      /** Those about objects; other kinds of events are taken and mean nothing here. */
      readonly notifications: readonly VaultNotification[];
    };

const MAX_EVENTS = 64;
const MAX_MEMBERS = 32;
const VALIDATION = 'Microsoft.EventGrid.SubscriptionValidationEvent';
const ABOUT_OBJECTS = /^Microsoft\.KeyVault\.(Secret|Key|Certificate)(NewVersionCreated|NearExpiry|Expired)$/;
const TOPIC =
  /^\/subscriptions\/[^/]{1,64}\/resourceGroups\/[^/]{1,90}\/providers\/Microsoft\.KeyVault\/vaults\/([0-9A-Za-z-]{3,24})$/i;

const text = (max: number) => z.string().min(1).max(max);
const EventGridEvent = z.object({
  id: text(256),
  topic: text(1_024),
  eventType: text(128),
  data: z.record(z.string(), z.unknown()),
});
const CloudEvent = z.object({
  specversion: z.literal('1.0'),
  id: text(256),
  source: text(1_024),
  type: text(128),
  data: z.record(z.string(), z.unknown()).optional(),
});
const ObjectData = z.object({
  VaultName: text(24),
  ObjectName: z.string().regex(/^[0-9A-Za-z-]{1,127}$/),
});

/**
 * Reads a delivery of Event Grid: its own schema (always an array) or CloudEvents 1.0 (one, or an array). Keys and values are trimmed:
 * Microsoft's own samples have `"ObjectName "` with a space behind it.
 * @throws SiegelError HOOK_EVENT_INVALID
 */
export function readEventGrid(body: unknown): EventGridRequest {
  const items = Array.isArray(body) ? (body as unknown[]) : [body];
  if (items.length === 0 || items.length > MAX_EVENTS)
    throw invalid(`a delivery has 1 to ${MAX_EVENTS} events`);
  const events = items.map((item, index) => readEvent(trimmed(item), index));
  const azureNames = [...new Set(events.map(({ azureName }) => azureName))];
  const validation = events.find(({ type }) => type === VALIDATION);
  if (validation !== undefined) {
    const code = validation.data['validationCode'];
    if (events.length !== 1) throw invalid('a validation event comes alone');
    if (typeof code !== 'string' || !/^[\x21-\x7e]{1,256}$/.test(code)) throw invalid('data.validationCode');
    return { kind: 'validation', code, azureNames };
  }
  const notifications = events.flatMap((event, index) => notification(event, index));
  return { kind: 'events', azureNames, notifications };
}

interface ReadEvent {
  readonly id: string;
  readonly type: string;
  readonly azureName: string;
  readonly data: Readonly<Record<string, unknown>>;
}

function readEvent(item: unknown, index: number): ReadEvent {
  const isCloudEvent = typeof item === 'object' && item !== null && 'specversion' in item;
  const parsed = isCloudEvent ? CloudEvent.safeParse(item) : EventGridEvent.safeParse(item);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`event ${index}: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const event = parsed.data;
  const topic = 'source' in event ? event.source : event.topic;
  const azureName = TOPIC.exec(topic)?.[1]?.toLowerCase();
  if (azureName === undefined) throw invalid(`event ${index}: the topic is no vault`);
  return {
    id: event.id,
    type: 'source' in event ? event.type : event.eventType,
    azureName,
    data: event.data ?? {},
  };
}

function notification({ id, type, azureName, data }: ReadEvent, index: number): VaultNotification[] {
  const kind = ABOUT_OBJECTS.exec(type)?.[1];
  if (kind === undefined) return [];
  const parsed = ObjectData.safeParse(data);
  if (!parsed.success)
    throw invalid(`event ${index}: data.${parsed.error.issues[0]?.path.map(String).join('.') ?? ''}`);
  if (parsed.data.VaultName.toLowerCase() !== azureName)
    throw invalid(`event ${index}: topic and data name different vaults`);
  return [
    { id, azureName, objectType: kind === 'Key' ? 'key' : 'object', objectName: parsed.data.ObjectName },
  ];
}

/** Trims keys and string values, two levels deep: the event and its data. */
function trimmed(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.trim();
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > 1) return value;
  const entries = Object.entries(value);
  if (entries.length > MAX_MEMBERS) throw invalid(`an event has at most ${MAX_MEMBERS} members`);
  return Object.fromEntries(entries.map(([key, member]) => [key.trim(), trimmed(member, depth + 1)]));
}

const invalid = (detail: string): SiegelError =>
  new SiegelError('HOOK_EVENT_INVALID', { detail: detail.slice(0, 300) });
