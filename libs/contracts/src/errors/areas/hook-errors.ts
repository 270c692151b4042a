import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of notifications that a vault sends. */
export const HOOK_ERRORS = {
  HOOK_UNAUTHENTICATED: entry(
    401,
    GRPC.UNAUTHENTICATED,
    'The notification is not authenticated.',
    'Configure the Event Grid subscription with the secret or the Entra application of this deployment.',
  ),
  HOOK_EVENT_INVALID: entry(
    400,
    GRPC.INVALID,
    'The notification is not one of Event Grid.',
    'Send Event Grid or CloudEvents 1.0 schema, at most 64 events and 64 KiB at once.',
  ),
  HOOK_TOPIC_UNKNOWN: entry(
    403,
    GRPC.DENIED,
    'The notification is about a vault that is not configured here.',
    'Subscribe this endpoint to the vaults of SIEGEL_VAULTS_FILE only.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
