/** What a refusal means and what the reader of it should do. */
export interface DcapErrorEntry {
  readonly meaning: string;
  readonly remedy: string;
}

const REFETCH =
  'Fetch the collateral again from its source; if it stays, the source or the path to it is at fault.';
const PLATFORM = 'The evidence is not what the quoting enclave produced: take a new quote on the platform.';
const CHAIN = 'Check which chain was sent; take it from the provisioning service of the platform.';

/** Every code of the library: the closed union {@link DcapErrorCode} is the set of its keys. */
export const DCAP_ERRORS = {
  QUOTE_TOO_SHORT: { meaning: 'Fewer bytes than the smallest possible quote.', remedy: PLATFORM },
  QUOTE_TOO_LARGE: {
    meaning: 'More bytes than the limit for a quote.',
    remedy: 'Send the quote alone, without the buffer around it, or raise the limit.',
  },
  QUOTE_VERSION_UNSUPPORTED: {
    meaning: 'The quote version is none of 3, 4, 5.',
    remedy: 'Use an ECDSA (DCAP) quote; EPID quotes are not supported.',
  },
  QUOTE_KEY_TYPE_UNSUPPORTED: {
    meaning: 'The attestation key type is not ECDSA P-256 (2).',
    remedy: 'Use the ECDSA P-256 quoting enclave.',
  },
  QUOTE_TEE_TYPE_UNSUPPORTED: {
    meaning: 'The TEE type is neither SGX (0) nor TDX (0x81), or does not fit version or body.',
    remedy: PLATFORM,
  },
  QUOTE_VENDOR_UNKNOWN: { meaning: 'The quoting enclave is not of the vendor Intel.', remedy: PLATFORM },
  QUOTE_BODY_TYPE_UNSUPPORTED: {
    meaning: 'The body type of a version 5 quote is unknown or its size does not fit.',
    remedy: 'Bodies SGX, TD 1.0 and TD 1.5 are supported.',
  },
  QUOTE_MALFORMED: {
    meaning: 'A length inside the quote does not agree with the bytes that are there.',
    remedy: PLATFORM,
  },
  QUOTE_RESERVED_NOT_ZERO: { meaning: 'A reserved field of the quote is not zero.', remedy: PLATFORM },
  QUOTE_TRAILING_DATA: {
    meaning: 'Bytes other than zero padding follow the quote.',
    remedy: 'Cut the quote at its own length.',
  },
  QUOTE_CERT_TYPE_UNSUPPORTED: {
    meaning: 'The certification data type is unknown or not allowed at this place.',
    remedy: 'Provision the platform so that the quote carries the PCK chain (type 5).',
  },
  PCK_LOOKUP_REQUIRED: {
    meaning: 'The quote names its PCK certificate (types 1-4) but does not carry the chain.',
    remedy: 'Look the PCK certificate up at the PCS or PCCS and pass its chain along.',
  },
  OE_HEADER_INVALID: {
    meaning: 'The Open Enclave evidence header does not agree with the quote behind it.',
    remedy: PLATFORM,
  },
  DER_INVALID: { meaning: 'An ASN.1 structure is not strict DER.', remedy: CHAIN },
  PEM_INVALID: { meaning: 'Certificates are not canonical PEM.', remedy: CHAIN },
  CERT_INVALID: {
    meaning: 'A certificate lacks a required field, or has one of a wrong form.',
    remedy: CHAIN,
  },
  CERT_CHAIN_LENGTH: {
    meaning: 'A chain has not exactly the certificates that it must have.',
    remedy: CHAIN,
  },
  CERT_ROLE_INVALID: {
    meaning: 'The name of a certificate is not that of its place in the chain.',
    remedy: CHAIN,
  },
  CERT_CONSTRAINTS_INVALID: {
    meaning: 'Basic constraints or key usage do not permit the use of a certificate.',
    remedy: CHAIN,
  },
  CERT_ISSUER_MISMATCH: {
    meaning: 'The issuer of a certificate is not the subject of the next in the chain.',
    remedy: CHAIN,
  },
  CERT_SIGNATURE_INVALID: { meaning: 'A certificate is not signed by its issuer.', remedy: CHAIN },
  CERT_EXPIRED: {
    meaning: 'A certificate is past its notAfter.',
    remedy: 'Renew it: a PCK certificate by provisioning the platform again, others by fetching collateral.',
  },
  CERT_NOT_YET_VALID: {
    meaning: 'A certificate is before its notBefore.',
    remedy: 'Check the clock of the verifier.',
  },
  ROOT_NOT_TRUSTED: {
    meaning: 'The root of a chain is not a pinned trust anchor.',
    remedy: 'Simulated and pre-production evidence needs its own root pinned explicitly.',
  },
  SGX_EXTENSION_INVALID: {
    meaning: 'The SGX extension of the PCK certificate is missing or malformed.',
    remedy: CHAIN,
  },
  KEY_INVALID: { meaning: 'A public key is not a point of P-256.', remedy: CHAIN },
  CRL_MISSING: { meaning: 'A certificate revocation list is absent.', remedy: REFETCH },
  CRL_INVALID: { meaning: 'A certificate revocation list is malformed.', remedy: REFETCH },
  CRL_ISSUER_MISMATCH: {
    meaning: 'A revocation list is not of the CA whose certificates it is to judge.',
    remedy: REFETCH,
  },
  CRL_SIGNATURE_INVALID: { meaning: 'A revocation list is not signed by its issuer.', remedy: REFETCH },
  CRL_EXPIRED: { meaning: 'A revocation list is past its nextUpdate and the grace.', remedy: REFETCH },
  CRL_NOT_YET_VALID: {
    meaning: 'A revocation list is of the future.',
    remedy: 'Check the clock of the verifier.',
  },
  PCK_REVOKED: {
    meaning: 'The PCK certificate is revoked.',
    remedy: 'The platform is not to be trusted; move the workload.',
  },
  INTERMEDIATE_CA_REVOKED: {
    meaning: 'The CA of the PCK certificate is revoked.',
    remedy: 'The platform must be provisioned under another CA.',
  },
  TCB_SIGNER_REVOKED: {
    meaning: 'The certificate that signs TCB info or QE identity is revoked.',
    remedy: REFETCH,
  },
  COLLATERAL_INVALID: {
    meaning: 'The collateral bundle is not a JSON object of the expected strings.',
    remedy: REFETCH,
  },
  COLLATERAL_TOO_LARGE: { meaning: 'A part of the collateral exceeds its limit.', remedy: REFETCH },
  TCB_INFO_INVALID: {
    meaning: 'TCB info breaks its schema, repeats a key or repeats a level.',
    remedy: REFETCH,
  },
  TCB_INFO_VERSION_UNSUPPORTED: {
    meaning: 'The TCB info version is neither 2 nor 3.',
    remedy: 'Fetch it through version 3 or 4 of the PCS API.',
  },
  TCB_INFO_SIGNATURE_INVALID: { meaning: 'TCB info is not signed by the TCB signing key.', remedy: REFETCH },
  TCB_INFO_EXPIRED: { meaning: 'TCB info is past its nextUpdate and the grace.', remedy: REFETCH },
  TCB_INFO_NOT_YET_VALID: {
    meaning: 'TCB info is issued in the future.',
    remedy: 'Check the clock of the verifier.',
  },
  TCB_INFO_TEE_MISMATCH: {
    meaning: 'TCB info is for the other TEE (SGX or TDX).',
    remedy: 'Fetch the TCB info of the TEE of the quote.',
  },
  FMSPC_MISMATCH: {
    meaning: 'TCB info is for another FMSPC than the PCK certificate.',
    remedy: 'Fetch the TCB info of the FMSPC of the quote.',
  },
  PCE_ID_MISMATCH: {
    meaning: 'TCB info is for another PCE than the PCK certificate.',
    remedy: 'Fetch the TCB info of the PCE of the quote.',
  },
  PCK_CA_MISMATCH: {
    meaning: 'The PCK CRL is of another CA than the one that issued the PCK certificate.',
    remedy: 'Fetch the PCK CRL of the CA of the quote (platform or processor).',
  },
  QE_IDENTITY_INVALID: { meaning: 'QE identity breaks its schema or repeats a key.', remedy: REFETCH },
  QE_IDENTITY_VERSION_UNSUPPORTED: {
    meaning: 'The QE identity version is not 2.',
    remedy: 'Fetch it through version 3 or 4 of the PCS API.',
  },
  QE_IDENTITY_SIGNATURE_INVALID: {
    meaning: 'QE identity is not signed by the TCB signing key.',
    remedy: REFETCH,
  },
  QE_IDENTITY_EXPIRED: { meaning: 'QE identity is past its nextUpdate and the grace.', remedy: REFETCH },
  QE_IDENTITY_NOT_YET_VALID: {
    meaning: 'QE identity is issued in the future.',
    remedy: 'Check the clock of the verifier.',
  },
  QE_IDENTITY_MISMATCH: {
    meaning: 'QE identity is not that of the quoting enclave of this TEE.',
    remedy: 'Fetch the identity QE for SGX, TD_QE for TDX.',
  },
  TCB_EVALUATION_TOO_OLD: {
    meaning: 'The TCB evaluation data number is below the required minimum.',
    remedy: 'Fetch newer collateral, or choose the update channel that the minimum belongs to.',
  },
  QE_REPORT_SIGNATURE_INVALID: {
    meaning: 'The report of the quoting enclave is not signed by the PCK key.',
    remedy: PLATFORM,
  },
  QE_REPORT_DATA_MISMATCH: {
    meaning: 'The report of the quoting enclave does not bind the attestation key.',
    remedy: PLATFORM,
  },
  QE_MRSIGNER_MISMATCH: {
    meaning: 'The quoting enclave is not of the signer that its identity names.',
    remedy: PLATFORM,
  },
  QE_ISVPRODID_MISMATCH: {
    meaning: 'The quoting enclave has another product id than its identity.',
    remedy: PLATFORM,
  },
  QE_MISCSELECT_MISMATCH: {
    meaning: 'MISCSELECT of the quoting enclave does not match its identity.',
    remedy: PLATFORM,
  },
  QE_ATTRIBUTES_MISMATCH: {
    meaning: 'The attributes of the quoting enclave do not match its identity.',
    remedy: PLATFORM,
  },
  QE_DEBUG: {
    meaning: 'The quoting enclave runs in debug mode.',
    remedy: 'Use the production quoting enclave.',
  },
  ATTESTATION_KEY_INVALID: { meaning: 'The attestation key is not a point of P-256.', remedy: PLATFORM },
  QUOTE_SIGNATURE_INVALID: { meaning: 'The quote is not signed by its attestation key.', remedy: PLATFORM },
  TDX_MODULE_MISMATCH: {
    meaning: 'The TDX module is none that TCB info knows.',
    remedy: 'Update the collateral; if it stays, the TDX module is not Intel’s.',
  },
  TCB_NOT_SUPPORTED: {
    meaning: 'The TCB of the platform is below every level of TCB info.',
    remedy: 'Update BIOS, microcode and TDX module of the platform.',
  },
  TCB_REVOKED: {
    meaning: 'The TCB level of the platform, its quoting enclave or its TDX module is revoked.',
    remedy: 'Update the platform before it may be trusted again.',
  },
  TCB_STATUS_UNKNOWN: {
    meaning: 'The collateral contains a TCB status that this library does not know.',
    remedy: 'Update the library.',
  },
  CLOCK_INVALID: {
    meaning: 'The time of verification is not a valid date.',
    remedy: 'Give a valid time; repair the clock.',
  },
  OPTIONS_INVALID: { meaning: 'An option of the call is out of its range.', remedy: 'Correct the call.' },
  INTERNAL_ERROR: {
    meaning: 'A defect of this library.',
    remedy: 'Report it with the evidence; the evidence was refused.',
  },
} as const satisfies Record<string, DcapErrorEntry>;

/** The closed union of refusal codes. */
export type DcapErrorCode = keyof typeof DCAP_ERRORS;
