import { WordedError } from '../worded-error.js';

/** Why a certificate is no RA-TLS evidence. Closed; each entry completes the sentence "the certificate …". */
export const EVIDENCE_ERRORS = {
  CERTIFICATE_TOO_LARGE: 'is larger than 64 KiB',
  CERTIFICATE_MALFORMED: 'is not strict DER of an X.509 certificate',
  CERTIFICATE_EXTENSION_TWICE: 'has one extension twice',
  CERTIFICATE_VERSION_UNEXPECTED: 'has a version that its dialect does not have',
  CERTIFICATE_ALGORITHM_UNSUPPORTED: 'is signed with an algorithm that its dialect does not use',
  CERTIFICATE_KEY_UNSUPPORTED: 'has a key other than P-256, P-384 or RSA of 2048 to 4096 bits',
  CERTIFICATE_NOT_SELF_SIGNED: 'is not signed by its own key',
  EVIDENCE_MISSING: 'carries no evidence in any known extension',
  EVIDENCE_AMBIGUOUS: 'carries evidence of more than one dialect',
  EVIDENCE_UNSUPPORTED: 'carries evidence of another kind than an SGX or TDX quote',
  EVIDENCE_MALFORMED: 'has an evidence extension that is not of its format',
  EVIDENCE_CONTRADICTORY: 'holds two different quotes where its dialect has one',
  CLAIMS_MALFORMED: 'has claims that are not a strict CBOR map of byte strings',
  CLAIM_TWICE: 'has a claim twice',
  PUBKEY_HASH_MISSING: 'has claims without the required pubkey-hash',
  PUBKEY_HASH_MALFORMED: 'has a pubkey-hash that is not an array of algorithm and digest',
} as const;

export type EvidenceErrorCode = keyof typeof EVIDENCE_ERRORS;

/** The only error that the readers of this folder throw. The message is for the operator. */
export class EvidenceError extends WordedError<EvidenceErrorCode> {
  override readonly name = 'EvidenceError';
  constructor(code: EvidenceErrorCode, detail?: string, options: { cause?: unknown } = {}) {
    super(code, `the certificate ${EVIDENCE_ERRORS[code]}`, detail, options);
  }
}
