/** Contents of Fortanix' OIDs, 1.3.6.1.4.1.49690.…, as hex (rust-sgx: sgx_pkix/src/oid.rs). */
const ARC = '2b0601040183841a';

/** Parts of the subject that name the enclave (…49690.1.1.n). */
export const NAME_OIDS = {
  cpuSvn: `${ARC}010101`,
  miscSelect: `${ARC}010102`,
  attributes: `${ARC}010103`,
  mrenclave: `${ARC}010104`,
  mrsigner: `${ARC}010105`,
  isvProdId: `${ARC}010106`,
  isvSvn: `${ARC}010107`,
  reportData: `${ARC}010108`,
  /** Written by newer versions only. */
  isvExtProdId: `${ARC}010109`,
} as const;

/** Attributes of the two requests (…49690.2.n.m). */
export const ATTRIBUTE_OIDS = {
  /** SEQUENCE { OCTET STRING keyid, OCTET STRING mac }, of the request for an attestation. */
  inlineSgxLocal: `${ARC}020101`,
  /** SEQUENCE { OCTET STRING app certificate, OCTET STRING node certificate }, of the request for a certificate. */
  embeddedFqpe: `${ARC}020201`,
} as const;

/** 2.5.4.3 */
export const COMMON_NAME_OID = '550403';
