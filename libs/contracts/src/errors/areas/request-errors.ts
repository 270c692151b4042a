import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of a request as such. */
export const REQUEST_ERRORS = {
  REQUEST_MALFORMED: entry(
    400,
    GRPC.INVALID,
    'The request body is not what this endpoint accepts.',
    'Compare the body with the OpenAPI document of this service; unknown members are refused.',
  ),
  CONTENT_TYPE_UNSUPPORTED: entry(
    415,
    GRPC.INVALID,
    'The content type is not supported.',
    'Send application/json.',
  ),
  REQUEST_TOO_LARGE: entry(
    413,
    GRPC.EXHAUSTED,
    'The request is larger than this endpoint accepts.',
    'Evidence is at most 32 KiB; send the quote without padding.',
  ),
  REQUEST_TIMEOUT: entry(
    408,
    GRPC.TIMEOUT,
    'The request did not arrive completely in time.',
    'Send the whole request within the time limit.',
    true,
  ),
  NOT_FOUND: entry(
    404,
    GRPC.NOT_FOUND,
    'There is nothing at this address.',
    'Check the path and the method against the OpenAPI document.',
  ),
  METHOD_NOT_ALLOWED: entry(
    405,
    GRPC.INVALID,
    'The method is not supported here.',
    'Check the method against the OpenAPI document.',
  ),
  RATE_LIMITED: entry(
    429,
    GRPC.EXHAUSTED,
    'Too many requests from this caller.',
    'Wait as long as Retry-After says, then retry.',
    true,
  ),
} as const satisfies Record<string, CatalogueEntry>;
