/**
 * The one catalogue of errors that cross a service boundary. Each entry says what a caller sees (`http`, `grpc`
 * status), whether a retry can help, what happened and what to do. `docs/errors.md` is generated from it.
 *
 * gRPC numbers: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
 */
export interface CatalogueEntry {
  readonly http: number;
  readonly grpc: number;
  readonly retryable: boolean;
  readonly title: string;
  readonly remedy: string;
}

const entry = (
  http: number,
  grpc: number,
  title: string,
  remedy: string,
  retryable = false,
): CatalogueEntry => ({
  http,
  grpc,
  retryable,
  title,
  remedy,
});

const INVALID = 3;
const TIMEOUT = 4;
const NOT_FOUND = 5;
const DENIED = 7;
const EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const ABORTED = 10;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

export const ERROR_CATALOGUE = {
  // The request itself
  REQUEST_MALFORMED: entry(
    400,
    INVALID,
    'The request body is not what this endpoint accepts.',
    'Compare the body with the OpenAPI document of this service; unknown members are refused.',
  ),
  CONTENT_TYPE_UNSUPPORTED: entry(
    415,
    INVALID,
    'The content type is not supported.',
    'Send application/json.',
  ),
  REQUEST_TOO_LARGE: entry(
    413,
    EXHAUSTED,
    'The request is larger than this endpoint accepts.',
    'Evidence is at most 32 KiB; send the quote without padding.',
  ),
  REQUEST_TIMEOUT: entry(
    408,
    TIMEOUT,
    'The request did not arrive completely in time.',
    'Send the whole request within the time limit.',
    true,
  ),
  NOT_FOUND: entry(
    404,
    NOT_FOUND,
    'There is nothing at this address.',
    'Check the path and the method against the OpenAPI document.',
  ),
  METHOD_NOT_ALLOWED: entry(
    405,
    INVALID,
    'The method is not supported here.',
    'Check the method against the OpenAPI document.',
  ),
  RATE_LIMITED: entry(
    429,
    EXHAUSTED,
    'Too many requests from this caller.',
    'Wait as long as Retry-After says, then retry.',
    true,
  ),

  // Evidence and its appraisal
  EVIDENCE_EMPTY: entry(400, INVALID, 'The evidence is empty.', 'Send the quote as base64url in "evidence".'),
  EVIDENCE_TOO_LARGE: entry(
    413,
    EXHAUSTED,
    'The evidence is larger than any quote.',
    'Send the quote without padding (at most 32 KiB).',
  ),
  EVIDENCE_MALFORMED: entry(
    400,
    INVALID,
    'The evidence is not a well-formed quote.',
    'Check that the whole quote is sent, in the stated format.',
  ),
  EVIDENCE_REJECTED: entry(
    403,
    DENIED,
    'The evidence was not verified.',
    'Ask the operator: the audit log names the failed step.',
  ),
  EVIDENCE_UNSUPPORTED: entry(
    400,
    INVALID,
    'This kind of evidence is not supported.',
    'Use an ECDSA quote (version 3, 4 or 5) with a PCK certificate chain.',
  ),
  EVIDENCE_REPLAYED: entry(
    403,
    DENIED,
    'This key was presented before.',
    'Make a new key and new evidence for every attestation, as the client libraries do.',
    true,
  ),
  PUBLIC_KEY_INVALID: entry(
    400,
    INVALID,
    'The bound public key is not acceptable.',
    'Send a P-256, P-384, P-521, X25519 or RSA (2048 to 4096 bit) public key, without private members.',
  ),
  BINDING_MISMATCH: entry(
    403,
    DENIED,
    'The evidence does not bind this public key.',
    'Put the hash of the key into report_data as the named convention says.',
  ),
  BINDING_UNKNOWN: entry(
    400,
    INVALID,
    'The binding convention is not known.',
    'Name one of the documented binding conventions.',
  ),
  CHALLENGE_REQUIRED: entry(
    403,
    DENIED,
    'This workload must bind a fresh challenge into its evidence.',
    'POST /v1/challenge, bind the nonce, attest again.',
    true,
  ),
  CHALLENGE_INVALID: entry(
    403,
    DENIED,
    'The challenge is not one of ours.',
    'POST /v1/challenge and use its nonce unchanged.',
    true,
  ),
  CHALLENGE_EXPIRED: entry(
    403,
    DENIED,
    'The challenge has expired.',
    'POST /v1/challenge again and attest at once.',
    true,
  ),
  CHALLENGE_REPLAYED: entry(
    403,
    DENIED,
    'The challenge was used before.',
    'POST /v1/challenge for every attestation.',
    true,
  ),
  COLLATERAL_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    'The endorsements for this platform are not available.',
    'Retry later; the operator finds the collateral source that failed in the log.',
    true,
  ),
  VERIFIER_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    'No quote verifier answered.',
    'Retry with back-off; the operator checks the quote-verifier service.',
    true,
  ),
  VERDICT_INVALID: entry(
    503,
    UNAVAILABLE,
    'The verdict on the evidence is not authentic.',
    'The operator checks the trust file: verifier key, NATS.',
    true,
  ),

  // Release policy
  RELEASE_DENIED: entry(
    403,
    DENIED,
    'The release was denied.',
    'Ask the operator: the audit log names every condition with expected and actual.',
  ),
  MANIFEST_MISSING: entry(
    403,
    DENIED,
    'No manifest is in force for this tenant.',
    'The operator sets one with "siegel manifest set".',
  ),
  MANIFEST_INVALID: entry(
    400,
    INVALID,
    'The manifest has problems.',
    'Run "siegel manifest lint FILE": it names line and column.',
  ),
  MANIFEST_CONFLICT: entry(
    409,
    ABORTED,
    'The manifest in force is another than the one this change was made from.',
    'Get the manifest in force, merge, set again with its revision.',
  ),
  MANIFEST_ROLLBACK: entry(
    409,
    ABORTED,
    'The stored manifest is older than one already seen.',
    'Restore the manifest history; the broker may have been tampered with.',
  ),
  TENANT_UNKNOWN: entry(
    404,
    NOT_FOUND,
    'This host name belongs to no tenant.',
    'Use the host name that the operator gave you.',
  ),

  // Vault
  SECRET_NOT_FOUND: entry(
    403,
    DENIED,
    'A granted secret does not exist in its vault.',
    'The operator checks vault and objectName in the manifest.',
  ),
  SECRET_UNUSABLE: entry(
    403,
    DENIED,
    'A granted secret is disabled or outside its validity.',
    'The operator checks enabled, nbf and exp in the vault.',
  ),
  SECRET_INVALID: entry(
    400,
    INVALID,
    'The secret is not acceptable.',
    'Names are 1 to 127 letters, digits and hyphens; values at most 25 KB.',
  ),
  VAULT_DENIED: entry(
    503,
    FAILED_PRECONDITION,
    'The vault refuses this service.',
    'The operator runs "siegel doctor": role, firewall or tenant.',
  ),
  VAULT_UNAVAILABLE: entry(503, UNAVAILABLE, 'The vault did not answer.', 'Retry with back-off.', true),
  VAULT_THROTTLED: entry(503, UNAVAILABLE, 'The vault is throttling.', 'Retry as Retry-After says.', true),

  // Tokens and sessions
  TOKEN_INVALID: entry(401, UNAUTHENTICATED, 'The token is not valid.', 'Attest again.'),
  TOKEN_EXPIRED: entry(401, UNAUTHENTICATED, 'The token has expired.', 'Attest again.'),
  PROOF_INVALID: entry(
    401,
    UNAUTHENTICATED,
    'The proof of possession is not valid.',
    'Sign a fresh DPoP proof (RFC 9449) with the bound key.',
  ),
  PROOF_REPLAYED: entry(
    401,
    UNAUTHENTICATED,
    'The proof of possession was used before.',
    'Sign a fresh DPoP proof for every request.',
  ),
  STORE_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    'The shared store did not take the change.',
    'Repeat the request; the operator checks NATS JetStream.',
    true,
  ),
  SESSION_ENDED: entry(401, UNAUTHENTICATED, 'The session has ended.', 'Attest again.'),
  SESSION_REVOKED: entry(
    403,
    DENIED,
    'The session was revoked.',
    'Attest again; the operator finds the reason in the audit log.',
  ),
  ADMIN_UNAUTHENTICATED: entry(
    401,
    UNAUTHENTICATED,
    'This needs an administrator or auditor credential.',
    'Send "Authorization: Bearer ..." with the token that the operator holds.',
  ),
  ADMIN_FORBIDDEN: entry(
    403,
    DENIED,
    'This credential does not allow that.',
    'Use a credential with the needed role.',
  ),
  IDENTITY_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    "The token's issuer does not give its keys now.",
    'Retry; the operator finds in the log of the service why the issuer cannot be asked.',
    true,
  ),

  // Notifications of the vault
  HOOK_UNAUTHENTICATED: entry(
    401,
    UNAUTHENTICATED,
    'The notification is not authenticated.',
    'Configure the Event Grid subscription with the secret or the Entra application of this deployment.',
  ),
  HOOK_EVENT_INVALID: entry(
    400,
    INVALID,
    'The notification is not one of Event Grid.',
    'Send Event Grid or CloudEvents 1.0 schema, at most 64 events and 64 KiB at once.',
  ),
  HOOK_TOPIC_UNKNOWN: entry(
    403,
    DENIED,
    'The notification is about a vault that is not configured here.',
    'Subscribe this endpoint to the vaults of SIEGEL_VAULTS_FILE only.',
  ),

  // Audit
  AUDIT_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    'The audit log did not acknowledge the event; nothing was released.',
    'Retry with back-off; the operator checks the audit service.',
    true,
  ),
  AUDIT_BACKPRESSURE: entry(
    503,
    UNAVAILABLE,
    'The audit log is taking no more events for the moment.',
    'Retry with back-off.',
    true,
  ),
  AUDIT_STORE_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    'The database of the audit log is out of reach.',
    'Retry with back-off; the operator checks PostgreSQL.',
    true,
  ),
  AUDIT_EVENT_INVALID: entry(
    400,
    INVALID,
    'The event is malformed.',
    'The emitter and the audit service must be of compatible versions.',
  ),
  AUDIT_EMITTER_UNKNOWN: entry(
    403,
    DENIED,
    'The emitter of the event is not in the trust file.',
    'Add its public key to the trust file of the audit service.',
  ),
  AUDIT_SIGNATURE_INVALID: entry(
    403,
    DENIED,
    "The signature of the event is not its emitter's.",
    'Check the signing key of the emitter against the trust file.',
  ),
  AUDIT_SEQUENCE_CONFLICT: entry(
    409,
    ABORTED,
    'Another event of this emitter already has this number.',
    'Restart the emitter: a new epoch starts a new numbering.',
  ),
  AUDIT_PROMISE_INVALID: entry(
    503,
    UNAVAILABLE,
    'The promise of the audit log is not authentic; nothing was released.',
    'Check the log key in the trust file; the broker may have been tampered with.',
    true,
  ),
  RECEIPT_NOT_READY: entry(
    425,
    UNAVAILABLE,
    'No checkpoint covers this entry yet.',
    'Retry: the log publishes a checkpoint every second by default. A promise that stays unkept is proof of fraud; "siegel audit verify --promise" says so.',
    true,
  ),
  EVIDENCE_NOT_KEPT: entry(
    410,
    NOT_FOUND,
    'This evidence is not kept: it was never received, is too old, or was erased.',
    'An event "evidence.missing" or "evidence.erased" says if it should be there; otherwise it was removed by age or size.',
  ),
  EVIDENCE_KEY_UNKNOWN: entry(
    410,
    NOT_FOUND,
    'This evidence is kept, but encrypted under a key that the audit service does not have.',
    'Put that key back into SIEGEL_AUDIT_EVIDENCE_KEY_FILE, behind the present one; if it was destroyed, the evidence is erased.',
  ),
  EVIDENCE_DAMAGED: entry(
    500,
    INTERNAL,
    'What is stored of this evidence is not what was kept.',
    'Somebody changed the archive, or its disk is failing: restore it from a backup; the log is not affected.',
  ),
  CURSOR_INVALID: entry(
    400,
    INVALID,
    'The cursor is not one of ours.',
    'Start the query again without a cursor.',
  ),
  QUERY_INVALID: entry(
    400,
    INVALID,
    'The query has unknown or malformed filters.',
    'Compare the query with the OpenAPI document.',
  ),

  // Enclaves behind a node agent
  QUOTING_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    "Intel's quoting service does not answer on this node.",
    'Check that aesmd runs and that its socket is mounted (SIEGEL_AESM_SOCKET); on AKS: --enable-sgxquotehelper.',
    true,
  ),
  QUOTING_REFUSED: entry(
    422,
    FAILED_PRECONDITION,
    "Intel's quoting service made no quote.",
    'Ask for the target info again: the REPORT must be made for the quoting enclave that runs now. Else see the log of aesmd.',
  ),
  QUOTING_INCONSISTENT: entry(
    502,
    UNAVAILABLE,
    "What Intel's quoting service answered does not hold together.",
    'Nothing of it was used. Compare the versions of aesmd and of its quoting enclave; the log of the node agent says what is wrong.',
    true,
  ),
  ISSUER_UNAVAILABLE: entry(
    503,
    UNAVAILABLE,
    'The service that decides and issues does not answer.',
    'Retry. Operators: check SIEGEL_AGENT_ISSUER_URL and its authority, and whether key-release is ready.',
    true,
  ),
  TASK_UNKNOWN: entry(
    404,
    NOT_FOUND,
    'There is no such certificate request.',
    'Send the request anew: outcomes are kept for an hour, by the agent that took the request.',
  ),
  CLIENT_CERTIFICATE_INVALID: entry(
    401,
    UNAUTHENTICATED,
    'The client certificate is not one that counts here now.',
    'Attest again: connect with the certificate that this service issued, while it is valid.',
  ),
  NAME_NOT_ALLOWED: entry(
    403,
    DENIED,
    'The certificate was asked for with a name that this workload may not have.',
    'Ask for the names that the manifest lists in "certificate" of the workload, or have them added.',
  ),
  CONFIGURATION_NOT_ALLOWED: entry(
    403,
    DENIED,
    'The enclave was started with a configuration that this workload may not have.',
    'Start it with the identifier of a configuration that the manifest lists for the workload.',
  ),

  // The service itself
  SHUTTING_DOWN: entry(503, UNAVAILABLE, 'The service is draining.', 'Retry: another replica answers.', true),
  OVERLOADED: entry(
    503,
    UNAVAILABLE,
    'The service is taking no more work for the moment.',
    'Retry with back-off.',
    true,
  ),
  INTERNAL: entry(500, INTERNAL, 'Something failed that should not.', 'Give the request id to the operator.'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export const isErrorCode = (value: string): value is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, value);
