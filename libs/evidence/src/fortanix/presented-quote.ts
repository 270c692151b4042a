import { EmAppError } from './em-app-error.js';
import { REPORT_BODY_BYTES } from './sgx-report.js';

/** Of `sgx_quote_nonce_t`, in bytes. */
export const QUOTE_NONCE_BYTES = 16;
const HEADER_BYTES = 48;
const SIGNATURE_LENGTH_AT = HEADER_BYTES + REPORT_BODY_BYTES;
/** Header, report body and the length of what signs them: a version 3 quote, which is what QE3 makes. */
const FIXED_BYTES = SIGNATURE_LENGTH_AT + 4;

/**
 * The length that a version 3 quote has by its own fields, or undefined where the bytes are not one. A buffer of AESM is longer than
 * the quote in it.
 */
export function quoteLength(bytes: Buffer): number | undefined {
  if (bytes.length < FIXED_BYTES || bytes.readUInt16LE(0) !== 3) return undefined;
  const length = FIXED_BYTES + bytes.readUInt32LE(SIGNATURE_LENGTH_AT);
  return length <= bytes.length ? length : undefined;
}

/**
 * What stands in place of the "attestation certificate" where QE3 takes the part of Fortanix' own quoting enclave: the nonce and the
 * quote, exactly. Its SHA-256 is the report data of the REPORT that QE3 made for the enclave, which is all that em-app checks.
 */
export const attestationCertificate = (nonce: Buffer, quote: Buffer): Buffer => Buffer.concat([nonce, quote]);

/** @throws EmAppError EM_QUOTE_MALFORMED */
export function openAttestationCertificate(bytes: Buffer): {
  nonce: Buffer;
  quote: Buffer;
  reportBody: Buffer;
} {
  const nonce = bytes.subarray(0, QUOTE_NONCE_BYTES);
  const quote = bytes.subarray(QUOTE_NONCE_BYTES);
  if (quoteLength(quote) !== quote.length) throw new EmAppError('EM_QUOTE_MALFORMED');
  return { nonce, quote, reportBody: quote.subarray(HEADER_BYTES, SIGNATURE_LENGTH_AT) };
}

/** The configuration id that report data names, if it names one: its second half is zero without. */
export function namedConfigId(reportData: Buffer): Buffer | undefined {
  const half = reportData.subarray(32, 64);
  return half.every((byte) => byte === 0) ? undefined : half;
}
