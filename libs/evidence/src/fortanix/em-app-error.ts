import { WordedError } from '../worded-error.js';

/** Why a request of Fortanix' em-app is refused. Closed; each entry completes the sentence "the request …". */
export const EM_APP_ERRORS = {
  EM_CSR_MALFORMED: 'is not strict DER of a certificate request as em-app writes it',
  EM_NAME_TWICE: 'has one part of its subject twice',
  EM_NAME_MISSING: 'does not name the enclave completely in its subject',
  EM_NAME_INVALID: 'has a part of its subject that is not of its form',
  EM_ATTESTATION_MISSING: 'has no attestation attribute of the expected kind',
  EM_ATTESTATION_MALFORMED: 'has an attestation attribute that is not of its format',
  EM_REPORT_MISMATCH: 'names another enclave than the one that was attested',
  EM_QUOTE_MALFORMED: 'carries no nonce and quote where its attestation certificate should be',
} as const;

export type EmAppErrorCode = keyof typeof EM_APP_ERRORS;

/** The only error that the readers of this folder throw. The message is for the operator. */
export class EmAppError extends WordedError<EmAppErrorCode> {
  override readonly name = 'EmAppError';
  constructor(code: EmAppErrorCode, detail?: string, options: { cause?: unknown } = {}) {
    super(code, `the request ${EM_APP_ERRORS[code]}`, detail, options);
  }
}
