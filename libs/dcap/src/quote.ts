import { readCertificationData } from './certification-data.js';
import type { CertificationData } from './certification-data.js';
import { DcapError } from './error.js';
import {
  SGX_BODY_BYTES,
  SgxReportBody,
  TD10_BODY_BYTES,
  TD15_BODY_BYTES,
  TdReportBody,
} from './report-body.js';
import type { QuoteBody } from './report-body.js';
import type { Tee } from './report.js';

/** The smallest quote: header, SGX body, length, and the fixed part of its signature data (QVL, QUOTE_MIN_BYTE_LEN). */
export const MIN_QUOTE_BYTES = 1020;
/** Real quotes have up to 5 KB, the buffers of some runtimes 8 KB. */
export const DEFAULT_MAX_QUOTE_BYTES = 32 * 1024;

const HEADER_BYTES = 48;
const ECDSA_P256 = 2;
const TEE_SGX = 0x00;
const TEE_TDX = 0x81;
const INTEL_QE_VENDOR = Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex');

export interface QuoteLimits {
  /** Default {@link DEFAULT_MAX_QUOTE_BYTES}. */
  readonly maxBytes?: number;
}

/** The report of the quoting enclave and what binds the attestation key to the platform. */
export interface QeCertification {
  readonly report: SgxReportBody;
  /** r‖s by the PCK key over the 384 bytes of the report. */
  readonly reportSignature: Buffer;
  readonly authData: Buffer;
  readonly certification: CertificationData;
}

/** A parsed quote; every buffer is a view of the input. Nothing of it is authentic before it is verified. */
export interface Quote {
  readonly version: 3 | 4 | 5;
  readonly tee: Tee;
  /** From the header of a version 3 quote; later versions reserve the fields. */
  readonly qeSvn: number;
  readonly pceSvn: number;
  /** 20 bytes; the first 16 are the QE id that PCCS calls `qeid`. */
  readonly userData: Buffer;
  readonly body: QuoteBody;
  /** What the attestation key signs. */
  readonly signedRegion: Buffer;
  /** r‖s. */
  readonly signature: Buffer;
  /** X‖Y of a P-256 point. */
  readonly attestationKey: Buffer;
  readonly qe: QeCertification;
  /** From the attestation key to the end of the certification data: what a verifier may remember. */
  readonly qeBlock: Buffer;
  /** The quote without padding. */
  readonly bytes: Buffer;
  /** Zero bytes after the quote. */
  readonly trailingPadding: number;
}

/**
 * Parses a quote of version 3, 4 or 5. Strict: every length must be exact; only zero bytes may follow.
 * Throws DcapError (QUOTE_*).
 */
export function parseQuote(input: Uint8Array, limits: QuoteLimits = {}): Quote {
  const maxBytes = limits.maxBytes ?? DEFAULT_MAX_QUOTE_BYTES;
  if (input.length < MIN_QUOTE_BYTES)
    throw new DcapError('QUOTE_TOO_SHORT', `${input.length} bytes are no quote`);
  if (input.length > maxBytes)
    throw new DcapError('QUOTE_TOO_LARGE', `${input.length} bytes exceed ${maxBytes}`);
  const all = Buffer.from(input.buffer, input.byteOffset, input.length);
  const { version, tee } = readHeader(all);
  const bodyStart = version === 5 ? HEADER_BYTES + 6 : HEADER_BYTES;
  const bodyBytes =
    version === 5 ? bodySizeOfDescriptor(all, tee) : tee === 'sgx' ? SGX_BODY_BYTES : TD10_BODY_BYTES;
  const bodyEnd = bodyStart + bodyBytes;
  if (bodyEnd + 4 > all.length) malformed('it ends within its body');
  const authStart = bodyEnd + 4;
  const authEnd = authStart + all.readUInt32LE(bodyEnd);
  if (authEnd > all.length) malformed('it ends within its signature data');
  const trailingPadding = paddingAfter(all, authEnd);

  const rawBody = all.subarray(bodyStart, bodyEnd);
  const auth = new Cursor(all.subarray(authStart, authEnd));
  const signature = auth.take(64);
  const attestationKey = auth.take(64);
  const qe = version === 3 ? readQeCertification(auth) : readNestedQeCertification(auth);
  return {
    version,
    tee,
    qeSvn: all.readUInt16LE(8),
    pceSvn: all.readUInt16LE(10),
    userData: all.subarray(28, 48),
    body: tee === 'sgx' ? new SgxReportBody(rawBody) : new TdReportBody(rawBody),
    signedRegion: all.subarray(0, bodyEnd),
    signature,
    attestationKey,
    qe,
    qeBlock: all.subarray(authStart + 64, authEnd),
    bytes: trailingPadding === 0 ? all : all.subarray(0, authEnd),
    trailingPadding,
  };
}

function malformed(what: string): never {
  throw new DcapError('QUOTE_MALFORMED', `the quote is malformed: ${what}`);
}

function readHeader(all: Buffer): { version: 3 | 4 | 5; tee: Tee } {
  const version = all.readUInt16LE(0);
  if (version !== 3 && version !== 4 && version !== 5) {
    throw new DcapError('QUOTE_VERSION_UNSUPPORTED', `quote version ${version} is not supported`);
  }
  const keyType = all.readUInt16LE(2);
  if (keyType !== ECDSA_P256) {
    throw new DcapError('QUOTE_KEY_TYPE_UNSUPPORTED', `attestation key type ${keyType} is not supported`);
  }
  const teeType = all.readUInt32LE(4);
  if (version === 3 && teeType !== 0) {
    throw new DcapError(
      'QUOTE_RESERVED_NOT_ZERO',
      'the reserved header field of a version 3 quote is not zero',
    );
  }
  if (teeType !== TEE_SGX && teeType !== TEE_TDX) {
    throw new DcapError('QUOTE_TEE_TYPE_UNSUPPORTED', `TEE type 0x${teeType.toString(16)} is not supported`);
  }
  if (INTEL_QE_VENDOR.compare(all, 12, 28) !== 0) {
    throw new DcapError('QUOTE_VENDOR_UNKNOWN', 'the quoting enclave is not of Intel');
  }
  return { version, tee: teeType === TEE_SGX ? 'sgx' : 'tdx' };
}

const V5_BODIES: Readonly<Record<number, { tee: Tee; bytes: number }>> = {
  1: { tee: 'sgx', bytes: SGX_BODY_BYTES },
  2: { tee: 'tdx', bytes: TD10_BODY_BYTES },
  3: { tee: 'tdx', bytes: TD15_BODY_BYTES },
};

function bodySizeOfDescriptor(all: Buffer, tee: Tee): number {
  const type = all.readUInt16LE(HEADER_BYTES);
  const size = all.readUInt32LE(HEADER_BYTES + 2);
  const body = V5_BODIES[type];
  if (body === undefined || size !== body.bytes) {
    throw new DcapError('QUOTE_BODY_TYPE_UNSUPPORTED', `body type ${type} of ${size} bytes is not supported`);
  }
  if (body.tee !== tee)
    throw new DcapError('QUOTE_TEE_TYPE_UNSUPPORTED', 'body type and TEE type contradict each other');
  return size;
}

function paddingAfter(all: Buffer, end: number): number {
  for (let at = end; at < all.length; at++) {
    if (all[at] !== 0) throw new DcapError('QUOTE_TRAILING_DATA', 'bytes that are not zero follow the quote');
  }
  return all.length - end;
}

/** Takes parts from the front; refuses to take more than there is, or to leave a rest. */
class Cursor {
  private at = 0;
  constructor(private readonly bytes: Buffer) {}

  take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.bytes.length) malformed('a part exceeds its container');
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return part;
  }
  u16(): number {
    return this.take(2).readUInt16LE(0);
  }
  u32(): number {
    return this.take(4).readUInt32LE(0);
  }
  end(): void {
    if (this.at !== this.bytes.length) malformed('bytes are left over inside its signature data');
  }
}

function readQeCertification(cursor: Cursor): QeCertification {
  const report = new SgxReportBody(cursor.take(SGX_BODY_BYTES));
  const reportSignature = cursor.take(64);
  const authData = cursor.take(cursor.u16());
  const type = cursor.u16();
  const raw = cursor.take(cursor.u32());
  cursor.end();
  return { report, reportSignature, authData, certification: readCertificationData(type, raw) };
}

/** Versions 4 and 5 wrap it all into certification data of type 6. */
function readNestedQeCertification(cursor: Cursor): QeCertification {
  const type = cursor.u16();
  if (type !== 6) {
    throw new DcapError('QUOTE_CERT_TYPE_UNSUPPORTED', `outer certification data of type ${type} is not 6`);
  }
  const inner = cursor.take(cursor.u32());
  cursor.end();
  return readQeCertification(new Cursor(inner));
}
