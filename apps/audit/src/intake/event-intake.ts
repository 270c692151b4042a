import { MAX_EVENT_BYTES, SiegelError, SignedEvent } from '#contracts';
import type { Trust } from '#platform';
import canonicalize from 'canonicalize';
import { verify } from 'node:crypto';
import type { Anomaly } from '../sequencing/anomalies.js';
import type { IncomingEvent } from '../sequencing/placer.js';

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Turns a request's bytes into a verified event: well-formed, of a known emitter, and signed by it. The broker is not
 * trusted, so nothing of the message counts before that.
 */
export class EventIntake {
  constructor(
    private readonly emitters: Trust['emitters'],
    private readonly tenants: ReadonlySet<string>,
    private readonly forged: (anomaly: Anomaly) => void,
  ) {}

  /** @throws SiegelError AUDIT_EVENT_INVALID, AUDIT_EMITTER_UNKNOWN, AUDIT_SIGNATURE_INVALID */
  accept(bytes: Uint8Array): IncomingEvent {
    const { event, kid, sig } = parse(bytes);
    const emitter = this.emitters.get(kid);
    if (!emitter || emitter.name !== event.emitter.name) {
      this.#forgery(
        event,
        'EMITTER_UNKNOWN',
        'An event names an emitter and a key that the trust file does not pair.',
      );
      throw new SiegelError('AUDIT_EMITTER_UNKNOWN');
    }
    if (!this.tenants.has(event.tenant)) {
      throw new SiegelError('AUDIT_EVENT_INVALID', { detail: 'this tenant has no log here' });
    }
    const canonical = canonicalForm(event);
    const signature = Buffer.from(sig, 'base64url');
    // A second spelling of the same signature would make another leaf of the same event.
    if (
      signature.toString('base64url') !== sig ||
      !verify(null, Buffer.from(canonical), emitter.key, signature)
    ) {
      this.#forgery(event, 'SIGNATURE_INVALID', 'The signature of an event is not that of its emitter.');
      throw new SiegelError('AUDIT_SIGNATURE_INVALID');
    }
    // The leaf: keys in canonical order are event, kid, sig.
    const entry = Buffer.from(`{"event":${canonical},"kid":${JSON.stringify(kid)},"sig":"${sig}"}`);
    if (entry.length > MAX_EVENT_BYTES) {
      throw new SiegelError('AUDIT_EVENT_INVALID', {
        detail: `an event has at most ${MAX_EVENT_BYTES} bytes`,
      });
    }
    const { name, epoch, seq } = event.emitter;
    return { tenant: event.tenant, emitter: name, epoch, seq, entry };
  }

  #forgery(event: SignedEvent['event'], code: string, message: string): void {
    const { name, epoch, seq } = event.emitter;
    const [first = event.tenant] = this.tenants;
    this.forged({
      kind: 'forged',
      // The record goes into a log that we keep, as an event of its tenant; whose the forged one claims to be is unknown.
      tenant: this.tenants.has(event.tenant) ? event.tenant : first,
      // Unsigned text may hold lone surrogates, of which no entry can be made.
      emitter: name.toWellFormed(),
      epoch: epoch.toWellFormed(),
      seq,
      count: 1,
      reason: { code, message },
    });
  }
}

function parse(bytes: Uint8Array): SignedEvent {
  if (bytes.length > MAX_EVENT_BYTES) {
    throw new SiegelError('AUDIT_EVENT_INVALID', { detail: `an event has at most ${MAX_EVENT_BYTES} bytes` });
  }
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new SiegelError('AUDIT_EVENT_INVALID', { detail: 'not JSON' });
  }
  const result = SignedEvent.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue?.path.map(String).join('.') ?? '';
  throw new SiegelError('AUDIT_EVENT_INVALID', {
    detail: `${at.slice(0, 100)}: ${issue?.message.slice(0, 200)}`,
  });
}

/** RFC 8785 canonical JSON, which does not exist for text with lone surrogates. */
function canonicalForm(event: object): string {
  try {
    return canonicalize(event)!;
  } catch {
    throw new SiegelError('AUDIT_EVENT_INVALID', { detail: 'the event has no canonical form' });
  }
}
