import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of tokens, sessions and credentials. */
export const SESSION_ERRORS = {
  TOKEN_INVALID: entry(401, GRPC.UNAUTHENTICATED, 'The token is not valid.', 'Attest again.'),
  TOKEN_EXPIRED: entry(401, GRPC.UNAUTHENTICATED, 'The token has expired.', 'Attest again.'),
  PROOF_INVALID: entry(
    401,
    GRPC.UNAUTHENTICATED,
    'The proof of possession is not valid.',
    'Sign a fresh DPoP proof (RFC 9449) with the bound key.',
  ),
  PROOF_REPLAYED: entry(
    401,
    GRPC.UNAUTHENTICATED,
    'The proof of possession was used before.',
    'Sign a fresh DPoP proof for every request.',
  ),
  STORE_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    'The shared store did not take the change.',
    'Repeat the request; the operator checks NATS JetStream.',
    true,
  ),
  SESSION_ENDED: entry(401, GRPC.UNAUTHENTICATED, 'The session has ended.', 'Attest again.'),
  SESSION_REVOKED: entry(
    403,
    GRPC.DENIED,
    'The session was revoked.',
    'Attest again; the operator finds the reason in the audit log.',
  ),
  ADMIN_UNAUTHENTICATED: entry(
    401,
    GRPC.UNAUTHENTICATED,
    'This needs an administrator or auditor credential.',
    'Send "Authorization: Bearer ..." with the token that the operator holds.',
  ),
  ADMIN_FORBIDDEN: entry(
    403,
    GRPC.DENIED,
    'This credential does not allow that.',
    'Use a credential with the needed role.',
  ),
  IDENTITY_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    "The token's issuer does not give its keys now.",
    'Retry; the operator finds in the log of the service why the issuer cannot be asked.',
    true,
  ),
} as const satisfies Record<string, CatalogueEntry>;
