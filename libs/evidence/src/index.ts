/**
 * The dialects around a quote: how report data binds a key or a challenge (`binding/`), and the certificates in which runtimes
 * carry their quotes, one folder per dialect (`ra-tls/`). Pure: no I/O, no Nest.
 */
export {
  BINDINGS,
  BINDING_CONVENTIONS,
  BindingError,
  isBindingConvention,
  REPORT_DATA_BYTES,
} from './binding/convention.js';
export type {
  BindingConvention,
  BindingErrorCode,
  BindingInput,
  BindingProperties,
} from './binding/convention.js';
export { acceptableReportData, checkBinding, expectedReportData } from './binding/report-data.js';
export type { BindingResult } from './binding/report-data.js';
export { readTrusteeKey, trusteeKeySpki, trusteeRuntimeData } from './binding/trustee-runtime-data.js';
export type { TrusteeKey } from './binding/trustee-runtime-data.js';
export { MAX_RUNTIME_DATA_BYTES, readRuntimeData } from './binding/runtime-data.js';
export type { RuntimeDataContent } from './binding/runtime-data.js';
export { parseRaTlsCertificate } from './ra-tls/parse-ra-tls-certificate.js';
export type { RaTlsEvidence } from './ra-tls/parse-ra-tls-certificate.js';
export type { RaTlsConvention, RaTlsDialectName } from './ra-tls/dialect.js';
export { MAX_CERTIFICATE_BYTES } from './ra-tls/carrier-certificate.js';
export { EVIDENCE_ERRORS, EvidenceError } from './ra-tls/evidence-error.js';
export type { EvidenceErrorCode } from './ra-tls/evidence-error.js';
export { EM_APP_ERRORS, EmAppError } from './fortanix/em-app-error.js';
export type { EmAppErrorCode } from './fortanix/em-app-error.js';
export {
  embeddedCertificates,
  localAttestation,
  MAX_EM_APP_REQUEST_BYTES,
  readEmAppRequest,
  requireEnclave,
} from './fortanix/em-app-request.js';
export type { EmAppRequest, EnclaveName } from './fortanix/em-app-request.js';
export {
  attestationCertificate,
  namedConfigId,
  openAttestationCertificate,
  QUOTE_NONCE_BYTES,
  quoteLength,
} from './fortanix/presented-quote.js';
export {
  REPORT_BYTES,
  reportBody,
  reportKeyId,
  reportMac,
  reportPart,
  sameBytes,
  TARGET_INFO_BYTES,
  targetInfoOf,
} from './fortanix/sgx-report.js';
export { appConfigId, serialiseAppConfig } from './fortanix/app-config.js';
export type { AppConfig, AppConfigPort, AppConfigWorkflow } from './fortanix/app-config.js';
