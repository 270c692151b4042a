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
  const canonical = canonicalOf(event);
  const signature = key.sign(Buffer.from(canonical)).toString('base64url');
  return Buffer.from(`{"event":${canonical},"kid":${JSON.stringify(key.kid)},"sig":"${signature}"}`);
}

/**
 * What a caller sends may hold lone surrogates, and a bound may cut a pair in two; such text has no canonical form. It is written with
 * replacement characters: an event that cannot be written would be one that whoever sends such text keeps out of the log.
 */
function canonicalOf(event: AuditEvent): string {
  let canonical: string | undefined;
  try {
    canonical = canonicalize(event);
  } catch {
    canonical = canonicalize(wellFormed(event));
  }
  if (canonical === undefined) throw new TypeError('an event is an object');
  return canonical;
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(wellFormed);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name.toWellFormed(), wellFormed(member)]),
  );
}
