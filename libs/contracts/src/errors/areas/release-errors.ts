import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of the release policy: manifests and what they decide. */
export const RELEASE_ERRORS = {
  RELEASE_DENIED: entry(
    403,
    GRPC.DENIED,
    'The release was denied.',
    'Ask the operator: the audit log names every condition with expected and actual.',
  ),
  MANIFEST_MISSING: entry(
    403,
    GRPC.DENIED,
    'No manifest is in force for this tenant.',
    'The operator sets one with "siegel manifest set".',
  ),
  MANIFEST_INVALID: entry(
    400,
    GRPC.INVALID,
    'The manifest has problems.',
    'Run "siegel manifest lint FILE": it names line and column.',
  ),
  MANIFEST_CONFLICT: entry(
    409,
    GRPC.ABORTED,
    'The manifest in force is another than the one this change was made from.',
    'Get the manifest in force, merge, set again with its revision.',
  ),
  MANIFEST_ROLLBACK: entry(
    409,
    GRPC.ABORTED,
    'The stored manifest is older than one already seen.',
    'Restore the manifest history; the broker may have been tampered with.',
  ),
  TENANT_UNKNOWN: entry(
    404,
    GRPC.NOT_FOUND,
    'This host name belongs to no tenant.',
    'Use the host name that the operator gave you.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
