import { eventSubject } from '#contracts';
import { headers as natsHeaders, type MsgHdrs } from '@nats-io/transport-node';
import { parseEntry } from '../index/indexed-fields.js';
import type { StoredEvent } from '../query/packed-events.js';

/**
 * A logged event as a CloudEvent (1.0, binary content mode of the NATS protocol binding): the body is exactly the log's
 * leaf, so a subscriber can hash it and check the emitter's signature; the attributes are headers. `siegelindex` and
 * `siegellog` say where to find it in the log. `Nats-Msg-Id` is the place in the log, so that JetStream drops a repetition and nothing else.
 */
export function cloudEvent(stored: StoredEvent): { subject: string; headers: MsgHdrs } {
  const { entry, log, index, time } = stored;
  const { event } = parseEntry(entry);
  const headers = natsHeaders();
  headers.set('Nats-Msg-Id', messageId(stored));
  headers.set('content-type', 'application/json');
  headers.set('ce-specversion', '1.0');
  headers.set('ce-id', event.id);
  headers.set('ce-source', `urn:siegel:log:${log}`);
  headers.set('ce-type', `siegel.${event.type}`);
  headers.set('ce-time', event.time);
  headers.set('ce-siegellog', log);
  headers.set('ce-siegelindex', String(index));
  headers.set('ce-siegelloggedat', new Date(time).toISOString());
  return { subject: eventSubject(event.tenant, event.type), headers };
}

/** By which JetStream recognises a repetition, and the predecessor of a message. */
export const messageId = ({ log, index }: Pick<StoredEvent, 'log' | 'index'>): string => `${log}#${index}`;
