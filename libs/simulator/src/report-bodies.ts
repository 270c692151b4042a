import { fixedBytes, reportDataBytes, type BytesLike } from './fixed-bytes.js';

/** Bits of the SGX attribute flags (Intel SDM vol. 3D, §36.7.1). */
export const SGX_FLAGS = { init: 0x1, debug: 0x2, mode64: 0x4, provisionKey: 0x10, kss: 0x80 } as const;
const XFRM_AVX512 = 0xe7;

/** Fields of an SGX report body (384 bytes); what is not named is zero or usual for a production enclave. */
export interface SgxReportFields {
  cpuSvn?: BytesLike;
  miscSelect?: number;
  isvExtProdId?: BytesLike;
  /** All 16 bytes (flags and XFRM); takes precedence over `debug`. */
  attributes?: BytesLike;
  debug?: boolean;
  mrenclave?: BytesLike;
  mrsigner?: BytesLike;
  configId?: BytesLike;
  isvProdId?: number;
  isvSvn?: number;
  configSvn?: number;
  isvFamilyId?: BytesLike;
  /** Up to 64 bytes; shorter values are padded with zeros. */
  reportData?: BytesLike;
}

export function sgxAttributes(flags: number, xfrm: number = XFRM_AVX512): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt32LE(flags, 0);
  out.writeUInt32LE(xfrm, 8);
  return out;
}

const put = (out: Buffer, at: number, length: number, name: string, value: BytesLike | undefined): void => {
  if (value !== undefined) fixedBytes(value, length, name).copy(out, at);
};

/** `sgx_report_body_t` (dcap `sgx_report.h`), little-endian. */
export function sgxReportBody(fields: SgxReportFields): Buffer {
  const out = Buffer.alloc(384);
  put(out, 0, 16, 'cpuSvn', fields.cpuSvn);
  out.writeUInt32LE(fields.miscSelect ?? 0, 16);
  put(out, 32, 16, 'isvExtProdId', fields.isvExtProdId);
  const flags = SGX_FLAGS.init | SGX_FLAGS.mode64 | (fields.debug === true ? SGX_FLAGS.debug : 0);
  put(out, 48, 16, 'attributes', fields.attributes ?? sgxAttributes(flags));
  put(out, 64, 32, 'mrenclave', fields.mrenclave);
  put(out, 128, 32, 'mrsigner', fields.mrsigner);
  put(out, 192, 64, 'configId', fields.configId);
  out.writeUInt16LE(fields.isvProdId ?? 0, 256);
  out.writeUInt16LE(fields.isvSvn ?? 0, 258);
  out.writeUInt16LE(fields.configSvn ?? 0, 260);
  put(out, 304, 16, 'isvFamilyId', fields.isvFamilyId);
  reportDataBytes(fields.reportData).copy(out, 320);
  return out;
}

/** Fields of a TD report; the last two exist in TD 1.5 bodies only. */
export interface TdReportFields {
  teeTcbSvn?: BytesLike;
  mrSeam?: BytesLike;
  mrSignerSeam?: BytesLike;
  seamAttributes?: BytesLike;
  /** 8 bytes; takes precedence over `debug`. */
  tdAttributes?: BytesLike;
  debug?: boolean;
  xfam?: BytesLike;
  mrtd?: BytesLike;
  mrConfigId?: BytesLike;
  mrOwner?: BytesLike;
  mrOwnerConfig?: BytesLike;
  /** Up to four run-time measurement registers. */
  rtmrs?: BytesLike[];
  reportData?: BytesLike;
  teeTcbSvn2?: BytesLike;
  mrServiceTd?: BytesLike;
}

export const TD_BODY_SIZE = { td10: 584, td15: 648 } as const;
export type TdBodyType = keyof typeof TD_BODY_SIZE;

/** SEPT_VE_DISABLE and PERFMON-free defaults of a production TD. */
function tdAttributes(debug: boolean): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(0x1000_0000 + (debug ? 1 : 0), 0);
  return out;
}

/** `sgx_report2_body_t` / `sgx_report2_body_v1_5_t` (dcap `sgx_quote_4.h`, `sgx_quote_5.h`). */
export function tdReportBody(type: TdBodyType, fields: TdReportFields): Buffer {
  const out = Buffer.alloc(TD_BODY_SIZE[type]);
  put(out, 0, 16, 'teeTcbSvn', fields.teeTcbSvn);
  put(out, 16, 48, 'mrSeam', fields.mrSeam);
  put(out, 64, 48, 'mrSignerSeam', fields.mrSignerSeam);
  put(out, 112, 8, 'seamAttributes', fields.seamAttributes);
  put(out, 120, 8, 'tdAttributes', fields.tdAttributes ?? tdAttributes(fields.debug === true));
  put(out, 128, 8, 'xfam', fields.xfam ?? 'e702060000000000');
  put(out, 136, 48, 'mrtd', fields.mrtd);
  put(out, 184, 48, 'mrConfigId', fields.mrConfigId);
  put(out, 232, 48, 'mrOwner', fields.mrOwner);
  put(out, 280, 48, 'mrOwnerConfig', fields.mrOwnerConfig);
  (fields.rtmrs ?? [])
    .slice(0, 4)
    .forEach((rtmr, index) => put(out, 328 + 48 * index, 48, `rtmr${index}`, rtmr));
  reportDataBytes(fields.reportData).copy(out, 520);
  if (type === 'td15') {
    put(out, 584, 16, 'teeTcbSvn2', fields.teeTcbSvn2);
    put(out, 600, 48, 'mrServiceTd', fields.mrServiceTd);
  }
  return out;
}
