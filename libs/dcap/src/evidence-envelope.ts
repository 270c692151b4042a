import { DcapError } from './error.js';

const OE_HEADER_BYTES = 16;
const OE_VERSION = 1;
const OE_TYPE_SGX_REMOTE = 2;

/** Whether the bytes begin as Open Enclave evidence: version 1, type 2 (oe_report_header_t); no quote begins so. */
export function hasOpenEnclaveHeader(evidence: Uint8Array): boolean {
  if (evidence.length < OE_HEADER_BYTES) return false;
  const view = new DataView(evidence.buffer, evidence.byteOffset, OE_HEADER_BYTES);
  return view.getUint32(0, true) === OE_VERSION && view.getUint32(4, true) === OE_TYPE_SGX_REMOTE;
}

/**
 * Removes the 16-byte header of Open Enclave evidence if there is one. Its length must be that of the rest, but for
 * padding, which stays for the parser of the quote to judge. Throws DcapError OE_HEADER_INVALID.
 */
export function stripOpenEnclaveHeader(evidence: Uint8Array): Uint8Array {
  if (!hasOpenEnclaveHeader(evidence)) return evidence;
  const length = new DataView(evidence.buffer, evidence.byteOffset, OE_HEADER_BYTES).getBigUint64(8, true);
  const rest = evidence.subarray(OE_HEADER_BYTES);
  if (length > BigInt(rest.length)) {
    throw new DcapError('OE_HEADER_INVALID', 'the Open Enclave header promises more bytes than follow');
  }
  const padding = rest.subarray(Number(length));
  if (padding.some((byte) => byte !== 0)) {
    throw new DcapError(
      'OE_HEADER_INVALID',
      'bytes other than padding follow what the Open Enclave header covers',
    );
  }
  return rest;
}
