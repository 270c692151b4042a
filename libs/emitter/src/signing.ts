import type { AuditEvent } from '#contracts';
import canonicalize from 'canonicalize';

/** The emitter's Ed25519 key, local to the process: numbering and signing happen in one step, so that order is kept. */
export interface EmitterKey {
  /** Its id in the trust file. */
  readonly kid: string;
  sign(data: Uint8Array): Buffer;
}

/**
 * The log entry of an event: canonical JSON (RFC 8785) of `{event, kid, sig}`, `sig` = Ed25519 over the canonical JSON of the event.
 * The three members are in canonical order already, so the event is serialised once.
 */
export function signedEntry(event: AuditEvent, key: EmitterKey): Buffer {
  const canonical = canonicalize(event);
  if (canonical === undefined) throw new TypeError('an event is an object');
  const signature = key.sign(Buffer.from(canonical)).toString('base64url');
  return Buffer.from(`{"event":${canonical},"kid":${JSON.stringify(key.kid)},"sig":"${signature}"}`);
}
