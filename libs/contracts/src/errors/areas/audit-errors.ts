import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of the audit log, its queries and the evidence that is kept. */
export const AUDIT_ERRORS = {
  AUDIT_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    'The audit log did not acknowledge the event; nothing was released.',
    'Retry with back-off; the operator checks the audit service.',
    true,
  ),
  AUDIT_BACKPRESSURE: entry(
    503,
    GRPC.UNAVAILABLE,
    'The audit log is taking no more events for the moment.',
    'Retry with back-off.',
    true,
  ),
  AUDIT_STORE_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    'The database of the audit log is out of reach.',
    'Retry with back-off; the operator checks PostgreSQL.',
    true,
  ),
  AUDIT_EVENT_INVALID: entry(
    400,
    GRPC.INVALID,
    'The event is malformed.',
    'The emitter and the audit service must be of compatible versions.',
  ),
  AUDIT_EMITTER_UNKNOWN: entry(
    403,
    GRPC.DENIED,
    'The emitter of the event is not in the trust file.',
    'Add its public key to the trust file of the audit service.',
  ),
  AUDIT_SIGNATURE_INVALID: entry(
    403,
    GRPC.DENIED,
    "The signature of the event is not its emitter's.",
    'Check the signing key of the emitter against the trust file.',
  ),
  AUDIT_SEQUENCE_CONFLICT: entry(
    409,
    GRPC.ABORTED,
    'Another event of this emitter already has this number.',
    'Restart the emitter: a new epoch starts a new numbering.',
  ),
  AUDIT_PROMISE_INVALID: entry(
    503,
    GRPC.UNAVAILABLE,
    'The promise of the audit log is not authentic; nothing was released.',
    'Check the log key in the trust file; the broker may have been tampered with.',
    true,
  ),
  RECEIPT_NOT_READY: entry(
    425,
    GRPC.UNAVAILABLE,
    'No checkpoint covers this entry yet.',
    'Retry: the log publishes a checkpoint every second by default. A promise that stays unkept is proof of fraud; "siegel audit verify --promise" says so.',
    true,
  ),
  EVIDENCE_NOT_KEPT: entry(
    410,
    GRPC.NOT_FOUND,
    'This evidence is not kept: it was never received, is too old, or was erased.',
    'An event "evidence.missing" or "evidence.erased" says if it should be there; otherwise it was removed by age or size.',
  ),
  EVIDENCE_KEY_UNKNOWN: entry(
    410,
    GRPC.NOT_FOUND,
    'This evidence is kept, but encrypted under a key that the audit service does not have.',
    'Put that key back into SIEGEL_AUDIT_EVIDENCE_KEY_FILE, behind the present one; if it was destroyed, the evidence is erased.',
  ),
  EVIDENCE_DAMAGED: entry(
    500,
    GRPC.INTERNAL,
    'What is stored of this evidence is not what was kept.',
    'Somebody changed the archive, or its disk is failing: restore it from a backup; the log is not affected.',
  ),
  CURSOR_INVALID: entry(
    400,
    GRPC.INVALID,
    'The cursor is not one of ours.',
    'Start the query again without a cursor.',
  ),
  QUERY_INVALID: entry(
    400,
    GRPC.INVALID,
    'The query has unknown or malformed filters.',
    'Compare the query with the OpenAPI document.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
