import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of evidence and its appraisal. */
export const EVIDENCE_ERRORS = {
  EVIDENCE_EMPTY: entry(
    400,
    GRPC.INVALID,
    'The evidence is empty.',
    'Send the quote as base64url in "evidence".',
  ),
  EVIDENCE_TOO_LARGE: entry(
    413,
    GRPC.EXHAUSTED,
    'The evidence is larger than any quote.',
    'Send the quote without padding (at most 32 KiB).',
  ),
  EVIDENCE_MALFORMED: entry(
    400,
    GRPC.INVALID,
    'The evidence is not a well-formed quote.',
    'Check that the whole quote is sent, in the stated format.',
  ),
  EVIDENCE_REJECTED: entry(
    403,
    GRPC.DENIED,
    'The evidence was not verified.',
    'Ask the operator: the audit log names the failed step.',
  ),
  EVIDENCE_UNSUPPORTED: entry(
    400,
    GRPC.INVALID,
    'This kind of evidence is not supported.',
    'Use an ECDSA quote (version 3, 4 or 5) with a PCK certificate chain.',
  ),
  EVIDENCE_REPLAYED: entry(
    403,
    GRPC.DENIED,
    'This key was presented before.',
    'Make a new key and new evidence for every attestation, as the client libraries do.',
    true,
  ),
  PUBLIC_KEY_INVALID: entry(
    400,
    GRPC.INVALID,
    'The bound public key is not acceptable.',
    'Send a P-256, P-384, P-521, X25519 or RSA (2048 to 4096 bit) public key, without private members.',
  ),
  BINDING_MISMATCH: entry(
    403,
    GRPC.DENIED,
    'The evidence does not bind this public key.',
    'Put the hash of the key into report_data as the named convention says.',
  ),
  BINDING_UNKNOWN: entry(
    400,
    GRPC.INVALID,
    'The binding convention is not known.',
    'Name one of the documented binding conventions.',
  ),
  CHALLENGE_REQUIRED: entry(
    403,
    GRPC.DENIED,
    'This workload must bind a fresh challenge into its evidence.',
    'POST /v1/challenge, bind the nonce, attest again.',
    true,
  ),
  CHALLENGE_INVALID: entry(
    403,
    GRPC.DENIED,
    'The challenge is not one of ours.',
    'POST /v1/challenge and use its nonce unchanged.',
    true,
  ),
  CHALLENGE_EXPIRED: entry(
    403,
    GRPC.DENIED,
    'The challenge has expired.',
    'POST /v1/challenge again and attest at once.',
    true,
  ),
  CHALLENGE_REPLAYED: entry(
    403,
    GRPC.DENIED,
    'The challenge was used before.',
    'POST /v1/challenge for every attestation.',
    true,
  ),
  COLLATERAL_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    'The endorsements for this platform are not available.',
    'Retry later; the operator finds the collateral source that failed in the log.',
    true,
  ),
  VERIFIER_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    'No quote verifier answered.',
    'Retry with back-off; the operator checks the quote-verifier service.',
    true,
  ),
  VERDICT_INVALID: entry(
    503,
    GRPC.UNAVAILABLE,
    'The verdict on the evidence is not authentic.',
    'The operator checks the trust file: verifier key, NATS.',
    true,
  ),
} as const satisfies Record<string, CatalogueEntry>;
