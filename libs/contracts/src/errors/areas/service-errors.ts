import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of the service itself. */
export const SERVICE_ERRORS = {
  SHUTTING_DOWN: entry(
    503,
    GRPC.UNAVAILABLE,
    'The service is draining.',
    'Retry: another replica answers.',
    true,
  ),
  OVERLOADED: entry(
    503,
    GRPC.UNAVAILABLE,
    'The service is taking no more work for the moment.',
    'Retry with back-off.',
    true,
  ),
  INTERNAL: entry(
    500,
    GRPC.INTERNAL,
    'Something failed that should not.',
    'Give the request id to the operator.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
