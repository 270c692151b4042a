import { createHash } from 'node:crypto';
import { u16le, u32le } from './fixed-bytes.js';
import type { P256Key } from './p256-key.js';

export type QuoteVersion = 3 | 4 | 5;

/** Intel's QE vendor id. */
export const INTEL_QE_VENDOR = Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex');
export const TEE_TYPE = { sgx: 0, tdx: 0x81 } as const;

export interface QuoteHeader {
  version: number;
  attestationKeyType: number;
  teeType: number;
  qeSvn: number;
  pceSvn: number;
  /** 16 bytes. */
  vendorId: Buffer;
  /** 20 bytes; the first 16 are the QE id. */
  userData: Buffer;
}

/** Values of the five length fields where they shall differ from the truth. */
export interface LengthOverrides {
  body?: number;
  auth?: number;
  /** The v4/v5 certification data of type 6. */
  outer?: number;
  qeAuth?: number;
  certification?: number;
}

/** All parts of a quote, signed or not; `assembleQuote` writes them down. */
export interface QuoteParts {
  /** 48 bytes. */
  header: Buffer;
  layout: QuoteVersion;
  /** v5 only. */
  bodyType: number;
  body: Buffer;
  /** 64 bytes r‖s over header, descriptor and body. */
  signature: Buffer;
  /** 64 bytes X‖Y. */
  attestationKey: Buffer;
  qeReport: Buffer;
  /** 64 bytes r‖s by the PCK. */
  qeReportSignature: Buffer;
  qeAuthData: Buffer;
  /** Outer type of v4/v5: 6 in every valid quote. */
  outerType: number;
  certificationType: number;
  certificationData: Buffer;
  lengths: LengthOverrides;
}

export function encodeHeader(header: QuoteHeader): Buffer {
  const out = Buffer.alloc(48);
  out.writeUInt16LE(header.version, 0);
  out.writeUInt16LE(header.attestationKeyType, 2);
  out.writeUInt32LE(header.teeType, 4);
  out.writeUInt16LE(header.qeSvn, 8);
  out.writeUInt16LE(header.pceSvn, 10);
  header.vendorId.copy(out, 12);
  header.userData.copy(out, 28);
  return out;
}

/** The bytes that the attestation key signs: header, in v5 the body descriptor, body. */
export function signedRegion(
  parts: Pick<QuoteParts, 'header' | 'layout' | 'bodyType' | 'body' | 'lengths'>,
): Buffer {
  if (parts.layout !== 5) return Buffer.concat([parts.header, parts.body]);
  const descriptor = [u16le(parts.bodyType), u32le(parts.lengths.body ?? parts.body.length)];
  return Buffer.concat([parts.header, ...descriptor, parts.body]);
}

/** Everything behind the attestation key; equal for all quotes that one key of one platform signs. */
export function certificationBlock(
  parts: Omit<QuoteParts, 'header' | 'body' | 'bodyType' | 'signature' | 'attestationKey'>,
): Buffer {
  const { lengths } = parts;
  const inner = Buffer.concat([
    parts.qeReport,
    parts.qeReportSignature,
    u16le(lengths.qeAuth ?? parts.qeAuthData.length),
    parts.qeAuthData,
    u16le(parts.certificationType),
    u32le(lengths.certification ?? parts.certificationData.length),
    parts.certificationData,
  ]);
  if (parts.layout === 3) return inner;
  return Buffer.concat([u16le(parts.outerType), u32le(lengths.outer ?? inner.length), inner]);
}

/** The quote's bytes: Intel SGX/TDX DCAP quote formats v3, v4 and v5. */
export function assembleQuote(parts: QuoteParts): Buffer {
  const auth = Buffer.concat([parts.signature, parts.attestationKey, certificationBlock(parts)]);
  return Buffer.concat([signedRegion(parts), u32le(parts.lengths.auth ?? auth.length), auth]);
}

/** Report data of a QE report: SHA-256 over the attestation key and the QE's authentication data, then zeros. */
export function qeReportData(attestationKey: Uint8Array, qeAuthData: Uint8Array): Buffer {
  return Buffer.concat([
    createHash('sha256').update(attestationKey).update(qeAuthData).digest(),
    Buffer.alloc(32),
  ]);
}

/** The QE report with the report data that bind it to the key and authentication data of `parts`. */
export function bindQeReport(parts: QuoteParts): QuoteParts {
  const qeReport = Buffer.from(parts.qeReport);
  qeReportData(parts.attestationKey, parts.qeAuthData).copy(qeReport, 320);
  return { ...parts, qeReport };
}

/** Signs again what was changed: the QE report with a PCK, the quote with an attestation key. */
export function resignQuote(parts: QuoteParts, keys: { pck?: P256Key; attestation?: P256Key }): QuoteParts {
  return {
    ...parts,
    ...(keys.pck === undefined ? {} : { qeReportSignature: keys.pck.sign(parts.qeReport) }),
    ...(keys.attestation === undefined ? {} : { signature: keys.attestation.sign(signedRegion(parts)) }),
  };
}
