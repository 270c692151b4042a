// Errors and reports
export { DCAP_ERRORS } from './error-catalogue.js';
export type { DcapErrorCode, DcapErrorEntry } from './error-catalogue.js';
export { DcapError } from './error.js';
export { VERIFICATION_STEPS } from './steps.js';
export type { VerificationStep, VerificationStepName } from './steps.js';
export type { ComponentStatus, PlatformStatus, TcbStatus } from './tcb-status.js';
export type { CollateralSummary, SgxType, Tee, VerificationReport } from './report.js';

// Verification
export { verifyQuote } from './verify-quote.js';
export type { VerifyOptions } from './verify-quote.js';
export { QuoteVerifier } from './quote-verifier.js';
export type { VerifierOptions } from './quote-verifier.js';
export type { EvidenceOptions } from './verification-stages.js';
export { CollateralEpoch } from './collateral-epoch.js';
export type { EpochOptions } from './collateral-epoch.js';
export { INTEL_SGX_ROOT, trustAnchorFromPem } from './trust-anchor.js';
export type { CertificateProfile, TrustAnchor } from './trust-anchor.js';

// Collateral
export { checkCollateralBundle, COLLATERAL_FIELDS, parseCollateralBundle } from './collateral-bundle.js';
export type { CollateralBundle } from './collateral-bundle.js';
export { CollateralKeys, collateralKeyOf } from './collateral-key.js';
export type { CollateralKey } from './collateral-key.js';
export { splitSignedDocument } from './signed-json.js';
export type { SignedDocument, SignedText } from './signed-json.js';
export { parseTcbInfo } from './tcb-info.js';
export type { ComponentLevel, TcbInfo, TcbLevel, TdxModule, TdxModuleIdentity } from './tcb-info.js';
export { parseQeIdentity } from './qe-identity.js';
export type { QeIdentity } from './qe-identity.js';

// Quotes
export { DEFAULT_MAX_QUOTE_BYTES, MIN_QUOTE_BYTES, parseQuote } from './quote.js';
export type { QeCertification, Quote, QuoteLimits } from './quote.js';
export { SgxReportBody, TdReportBody } from './report-body.js';
export type { QuoteBody } from './report-body.js';
export type { CertificationData } from './certification-data.js';
export { quoteClaims } from './quote-claims.js';
export { hasOpenEnclaveHeader, stripOpenEnclaveHeader } from './evidence-envelope.js';

// Certificates and their encodings
export { parseCertificate } from './certificate.js';
export type { Certificate, CertificateExtensions } from './certificate.js';
export { claimedRole } from './certificate-role.js';
export type { CertificateRole } from './certificate-role.js';
export { parsePckCertificate, parseSgxExtension } from './sgx-extension.js';
export type { PckCertificate, SgxExtension } from './sgx-extension.js';
export { parseCrl } from './crl.js';
export type { Crl } from './crl.js';
export { encodePem, splitPemChain } from './pem.js';
export { formatName, readName } from './distinguished-name.js';
export { DerElement, DerReader, TAG } from './der.js';

export { parseJson } from './strict-json.js';
export type { Json, JsonObject } from './strict-json.js';
