import { DcapError } from './error.js';

/** What a quote carries to find its PCK certificate (DCAP Quoting Library API, table "QE certification data"). */
export type CertificationData =
  | {
      /** 1: PPID in clear; 2 and 3: PPID encrypted with RSA-2048/3072-OAEP. The PCK certificate must be looked up. */
      readonly type: 1 | 2 | 3;
      readonly raw: Buffer;
      readonly ppid: Buffer;
      readonly cpuSvn: Buffer;
      readonly pceSvn: number;
      /** 4 hex digits as in the PCK certificate; early quoting enclaves leave it out. */
      readonly pceId?: string;
    }
  | {
      /** 4: the PCK leaf in PEM; its issuers must be looked up. 5 (below): the PCK chain in PEM. */
      readonly type: 4;
      readonly raw: Buffer;
    }
  | { readonly type: 5; readonly raw: Buffer };

const PPID_BYTES = { 1: 16, 2: 256, 3: 384 } as const;

export function readCertificationData(type: number, raw: Buffer): CertificationData {
  if (type === 4) return { type, raw };
  if (type === 5) return { type, raw };
  if (type !== 1 && type !== 2 && type !== 3) {
    throw new DcapError(
      'QUOTE_CERT_TYPE_UNSUPPORTED',
      `certification data of type ${type} cannot identify a PCK`,
    );
  }
  const length = PPID_BYTES[type];
  if (raw.length !== length + 18 && raw.length !== length + 20) {
    throw new DcapError('QUOTE_MALFORMED', 'the certification data has a wrong length');
  }
  return {
    type,
    raw,
    ppid: raw.subarray(0, length),
    cpuSvn: raw.subarray(length, length + 16),
    pceSvn: raw.readUInt16LE(length + 16),
    ...(raw.length === length + 20 && { pceId: raw.toString('hex', length + 18) }),
  };
}
