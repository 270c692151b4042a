import { hash } from 'node:crypto';
import { P256PublicKey, p256Spki } from './ecdsa.js';
import { DcapError } from './error.js';
import type { QeIdentity } from './qe-identity.js';
import type { Quote } from './quote.js';
import type { SgxReportBody } from './report-body.js';

/** The PCK key must have signed the report of the quoting enclave. */
export function checkQeReportSignature(quote: Quote, pckKey: P256PublicKey): void {
  if (!pckKey.verify(quote.qe.report.raw, quote.qe.reportSignature)) {
    throw new DcapError(
      'QE_REPORT_SIGNATURE_INVALID',
      'the report of the quoting enclave is not signed by the PCK key',
    );
  }
}

/**
 * The report must bind the attestation key: SHA-256(key ‖ authentication data), then 32 zero bytes. All of the
 * authentication data counts, whatever its length.
 */
export function checkQeReportData(quote: Quote): void {
  const bound = Buffer.concat([quote.attestationKey, quote.qe.authData]);
  const expected = Buffer.concat([hash('sha256', bound, 'buffer'), Buffer.alloc(32)]);
  if (!expected.equals(quote.qe.report.reportData)) {
    throw new DcapError(
      'QE_REPORT_DATA_MISMATCH',
      'the report of the quoting enclave binds another attestation key',
    );
  }
}

/** The quoting enclave must be the one that Intel's identity describes; a debug enclave never is. */
export function checkQeIdentity(report: SgxReportBody, identity: QeIdentity): void {
  if (report.debug) throw new DcapError('QE_DEBUG', 'the quoting enclave runs in debug mode');
  if (!report.mrSigner.equals(identity.mrSigner)) {
    throw new DcapError('QE_MRSIGNER_MISMATCH', 'the quoting enclave is of another signer');
  }
  if (report.isvProdId !== identity.isvProdId) {
    throw new DcapError('QE_ISVPRODID_MISMATCH', `the quoting enclave has product id ${report.isvProdId}`);
  }
  if (((report.miscSelect ^ identity.miscSelect) & identity.miscSelectMask) !== 0) {
    throw new DcapError('QE_MISCSELECT_MISMATCH', 'MISCSELECT of the quoting enclave does not match');
  }
  const { attributes } = report;
  const differs = identity.attributes.some(
    (expected, i) => ((attributes[i] as number) & (identity.attributesMask[i] as number)) !== expected,
  );
  if (differs)
    throw new DcapError('QE_ATTRIBUTES_MISMATCH', 'the attributes of the quoting enclave do not match');
}

/** The attestation key X‖Y; whether it is a point of the curve shows when it is used. */
export function attestationKeyOf(quote: Quote): P256PublicKey {
  return new P256PublicKey(p256Spki(quote.attestationKey), 'ATTESTATION_KEY_INVALID');
}

export function checkQuoteSignature(quote: Quote, attestationKey: P256PublicKey): void {
  if (!attestationKey.verify(quote.signedRegion, quote.signature)) {
    throw new DcapError('QUOTE_SIGNATURE_INVALID', 'the quote is not signed by its attestation key');
  }
}
