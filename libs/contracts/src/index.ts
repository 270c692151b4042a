export { ERROR_CATALOGUE, isErrorCode, type CatalogueEntry, type ErrorCode } from './errors/catalogue.js';
export {
  asSiegelError,
  errorFromWire,
  problemOf,
  SiegelError,
  type ProblemDetails,
} from './errors/siegel-error.js';
export {
  BUCKETS,
  DEFAULT_TENANT,
  ERROR_HEADERS,
  eventSubject,
  QUEUES,
  STREAMS,
  SUBJECTS,
  TENANT_PATTERN,
} from './subjects.js';
export {
  CollateralSummary,
  MAX_EVIDENCE_BYTES,
  QuoteClaims,
  VERDICT_ISSUER,
  VERDICT_TYP,
  VerdictClaims,
  VerifyReply,
  VerifyRequest,
} from './messages/verify.js';
export {
  AppendReply,
  CollateralHandover,
  EvidenceHandover,
  EvidenceHandoverReply,
  LogPromise,
  MAX_COLLATERAL_BYTES,
} from './messages/audit.js';
export {
  AttestRequest,
  AttestResponse,
  ChallengeResponse,
  PublicKeyJwk,
  ReleasePayload,
} from './messages/attest.js';
export { RaTlsResponse } from './messages/ra-tls.js';
export {
  ANJUNA_FORMS,
  AnjunaAttestRequest,
  AnjunaAttestResponse,
  AnjunaSealedRelease,
  AnjunaSealedSecrets,
} from './messages/anjuna.js';
export type { AnjunaForm } from './messages/anjuna.js';
export {
  Appraisal,
  APPRAISAL_TYP,
  AppraisalRecord,
  AppraisalUse,
  REVOCATION_TYP,
  RevocationRecord,
  RevocationView,
} from './messages/session.js';
export { VAULT_CHANGE_TYP, VaultChange } from './messages/vault-change.js';
export { MANIFEST_TYP, ManifestHistory, ManifestRecord, ManifestView } from './messages/manifest.js';
export {
  AUDIT_EVENT_TYPES,
  AuditEvent,
  MAX_EVENT_BYTES,
  SignedEvent,
  type AuditEventType,
} from './events/event.js';
export {
  CertificateRecord,
  ConditionRecord,
  Emitter,
  EvidenceRecord,
  GrantRecord,
  ManifestReference,
  Outcome,
  Reason,
} from './events/envelope.js';
export { VaultsHealth, VaultStatus } from './messages/vaults.js';
export { TrustFile, type TrustedJwk } from './trust.js';
export {
  FORTANIX_TASK_STATUSES,
  FortanixIssueRequest,
  FortanixIssueResponse,
  MAX_CSR_CHARACTERS,
} from './messages/fortanix.js';
