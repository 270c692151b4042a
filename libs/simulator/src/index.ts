/**
 * libs/simulator: a software quoting enclave with a complete SGX/TDX PKI of its own — quotes, collateral and a
 * collateral server, valid ones and broken ones. Used by tests, the CLI and the load generators; never by a service.
 */
export {
  SimulatedSgx,
  type PckMaterial,
  type SimulatedSgxOptions,
  type SimulatedSgxState,
} from './simulated-sgx.js';
export { SimulatedPlatform, type PlatformOptions, type QuoteRequest } from './platform.js';
export type { CollateralOptions, SimulatedBundle } from './collateral.js';
export { SimulatedPki, type PckCa } from './pki.js';
export { SimulatorError, type SimulatorErrorCode } from './simulator-error.js';
export { P256Key, mirrorSignature, p256Spki, signatureToDer } from './p256-key.js';
export {
  assembleQuote,
  bindQeReport,
  resignQuote,
  signedRegion,
  type LengthOverrides,
  type QuoteHeader,
  type QuoteParts,
  type QuoteVersion,
} from './quote-parts.js';
export type { SgxReportFields, TdBodyType, TdReportFields } from './report-bodies.js';
export {
  COMPONENT_STATUSES,
  PLATFORM_STATUSES,
  type ComponentStatus,
  type IsvLevel,
  type JsonObject,
  type PlatformStatus,
  type TcbLevel,
  type TdxModuleIdentity,
  type Tee,
} from './tcb-documents.js';
export {
  intelName,
  issueCertificate,
  reissue,
  type CertificateProfile,
  type IssuedCertificate,
} from './certificate.js';
export { issueCrl, type CrlProfile, type RevokedSerial } from './crl.js';
export {
  PcsDocuments,
  qeIdentityEnvelope,
  tcbInfoEnvelope,
  type EvaluationDataNumber,
  type PcsDocument,
} from './pcs-documents.js';
export type { PcsEndpoint, PcsFault } from './pcs-faults.js';
export type { PcsShape } from './pcs-routes.js';
export { SimulatedPcsServer, type PcsLogEntry, type PcsServerOptions } from './pcs-server.js';
export {
  ACCEPTED_VARIANTS,
  BROKEN_COLLATERAL,
  BROKEN_QUOTES,
  STATUS_CASES,
  type AcceptedVariant,
  type BrokenCase,
  type Evidence,
  type StatusCase,
  type VerificationSettings,
} from './corpus/index.js';
export { aesCmac } from './local-attestation/aes-cmac.js';
export { SoftwareProcessor } from './local-attestation/software-processor.js';
export { SoftwareEnclave } from './local-attestation/software-enclave.js';
export { SoftwareQuotingEnclave } from './local-attestation/software-quoting-enclave.js';
export { SoftwareAesm, type AesmCall, type SoftwareAesmOptions } from './local-attestation/software-aesm.js';
