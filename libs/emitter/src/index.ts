/** The emitting side of the audit log: signed and numbered events out, verified promises back. */
export { AuditEmitter, type EmitterOptions, type EventDraft, type RecordedEvent } from './emitter.js';
export { signedEntry, type EmitterKey } from './signing.js';
export { eventId } from './event-id.js';
