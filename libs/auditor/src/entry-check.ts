import canonicalize from 'canonicalize';
import { verify } from 'node:crypto';
import { leafHash } from '#transparency';
import { z } from 'zod';
import type { AuditorTrust } from './auditor-trust.js';
import { type Fraud, fraud } from './fraud.js';

/**
 * What every event says, whatever its kind. Loose: an auditor may be older than the log, and a new member of an event is
 * no fraud; that nothing was changed is what the signature says.
 */
const Entry = z.strictObject({
  event: z.looseObject({
    id: z.string().max(64),
    type: z.string().max(64),
    tenant: z.string().max(63),
    time: z.iso.datetime({ offset: false }),
    emitter: z.looseObject({
      name: z.string().max(64),
      epoch: z.string().max(64),
      seq: z.number().int().min(1),
    }),
    data: z.looseObject({}).optional(),
  }),
  kid: z.string().max(64),
  sig: z.string().length(86),
});
export type CheckedEvent = z.infer<typeof Entry>['event'];

/** An entry whose signature holds. */
export interface CheckedEntry {
  leaf: Buffer;
  event: CheckedEvent;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Checks one entry of the log by itself: canonical JSON (RFC 8785), of a known emitter, signed by it, of this tenant. */
export function checkEntry(
  bytes: Uint8Array,
  index: number,
  trust: Pick<AuditorTrust, 'emitters' | 'origin'>,
): CheckedEntry | Fraud {
  const forged = (why: string): Fraud => fraud('forged', `entry ${index}: ${why}`, index);
  let json: unknown;
  let text: string;
  try {
    text = decoder.decode(bytes);
    json = JSON.parse(text);
    if (canonicalize(json) !== text) return forged('it is not in its canonical form');
  } catch {
    return forged('it is not JSON');
  }
  const parsed = Entry.safeParse(json);
  if (!parsed.success) return forged('it is not a signed event');
  const { event, kid, sig } = parsed.data;
  const emitter = trust.emitters.get(kid);
  if (!emitter || emitter.name !== event.emitter.name)
    return forged(`no emitter "${event.emitter.name}" has the key ${kid}`);
  if (trust.origin.split('/').at(-1) !== event.tenant) return forged(`it is of the tenant ${event.tenant}`);
  const signature = Buffer.from(sig, 'base64url');
  const signed = Buffer.from(canonicalize((json as { event: object }).event)!);
  if (signature.toString('base64url') !== sig || !verify(null, signed, emitter.key, signature))
    return forged(`the signature is not that of ${event.emitter.name}`);
  return { leaf: leafHash(bytes), event };
}

/** The succession of the log's key that an event announces. */
export function successionIn({ type, data }: CheckedEvent): string | undefined {
  const note = type === 'log.key' ? data?.['succession'] : undefined;
  return typeof note === 'string' ? note : undefined;
}

export const isFraud = (value: object): value is Fraud => 'kind' in value;
