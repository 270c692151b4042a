import { timingSafeEqual } from 'node:crypto';

/** Sizes of SGX structures (Intel SDM vol. 3D, §39.16, tables 39-21 and 39-22), in bytes. */
export const REPORT_BYTES = 432;
export const REPORT_BODY_BYTES = 384;
export const TARGET_INFO_BYTES = 512;

/** Where the parts of a report body lie: offset and length. The same layout is in a quote, behind its header. */
const LAYOUT = {
  cpuSvn: [0, 16],
  miscSelect: [16, 4],
  isvExtProdId: [32, 16],
  attributes: [48, 16],
  mrenclave: [64, 32],
  mrsigner: [128, 32],
  isvProdId: [256, 2],
  isvSvn: [258, 2],
  reportData: [320, 64],
} as const satisfies Record<string, readonly [number, number]>;

export type ReportPart = keyof typeof LAYOUT;
export const REPORT_PARTS = Object.keys(LAYOUT) as readonly ReportPart[];
export const reportPartBytes = (part: ReportPart): number => LAYOUT[part][1];

/** A part of a report body, as it stands there (numbers are little-endian). */
export function reportPart(body: Buffer, part: ReportPart): Buffer {
  const [at, length] = LAYOUT[part];
  return body.subarray(at, at + length);
}

export const reportBody = (report: Buffer): Buffer => report.subarray(0, REPORT_BODY_BYTES);
/** KEYID and MAC of a REPORT. */
export const reportKeyId = (report: Buffer): Buffer => report.subarray(384, 416);
export const reportMac = (report: Buffer): Buffer => report.subarray(416, 432);

/** Whether two values of the same kind are the same, in constant time. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);

/**
 * The TARGETINFO with which another enclave on the same machine makes a REPORT that this one, which made `report`, can check.
 * Reserved bytes are zero, as EREPORT demands.
 */
export function targetInfoOf(report: Buffer): Buffer {
  const info = Buffer.alloc(TARGET_INFO_BYTES);
  report.copy(info, 0, 64, 96); // MRENCLAVE
  report.copy(info, 32, 48, 64); // ATTRIBUTES
  report.copy(info, 48, 20, 21); // CET_ATTRIBUTES
  report.copy(info, 50, 260, 262); // CONFIGSVN
  report.copy(info, 52, 16, 20); // MISCSELECT
  report.copy(info, 64, 192, 256); // CONFIGID
  return info;
}
