import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of vaults and what they hold. */
export const VAULT_ERRORS = {
  SECRET_NOT_FOUND: entry(
    403,
    GRPC.DENIED,
    'A granted secret does not exist in its vault.',
    'The operator checks vault and objectName in the manifest.',
  ),
  SECRET_UNUSABLE: entry(
    403,
    GRPC.DENIED,
    'A granted secret is disabled or outside its validity.',
    'The operator checks enabled, nbf and exp in the vault.',
  ),
  SECRET_INVALID: entry(
    400,
    GRPC.INVALID,
    'The secret is not acceptable.',
    'Names are 1 to 127 letters, digits and hyphens; values at most 25 KB.',
  ),
  VAULT_DENIED: entry(
    503,
    GRPC.FAILED_PRECONDITION,
    'The vault refuses this service.',
    'The operator runs "siegel doctor": role, firewall or tenant.',
  ),
  VAULT_UNAVAILABLE: entry(503, GRPC.UNAVAILABLE, 'The vault did not answer.', 'Retry with back-off.', true),
  VAULT_THROTTLED: entry(
    503,
    GRPC.UNAVAILABLE,
    'The vault is throttling.',
    'Retry as Retry-After says.',
    true,
  ),
} as const satisfies Record<string, CatalogueEntry>;
