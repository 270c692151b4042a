import type { QuoteClaims } from '#contracts';
import { hash, timingSafeEqual } from 'node:crypto';
import type { AttestRequest } from './request-body.js';

/** Why held data is not the evidence's own; undefined where it is, or where there is none. */
export interface Unbound {
  readonly code: 'BINDING_MISMATCH' | 'INIT_TIME_MISMATCH' | 'INIT_TIME_UNSUPPORTED';
  readonly message: string;
}

const HASH_BYTES = 32;

/**
 * Runtime data: SHA-256 in the first half of the report data, the other half zero (SGX and TDX). Init-time data: SHA-256 in the first 32
 * bytes of CONFIGID, which only enclaves with key separation (KSS) have; for TDX no register is documented, so it is refused.
 */
export function unboundData(claims: QuoteClaims, { runtime, initTime }: AttestRequest): Unbound | undefined {
  if (runtime !== undefined) {
    const expected = Buffer.concat([sha256(runtime.bytes), Buffer.alloc(HASH_BYTES)]);
    if (!timingSafeEqual(expected, Buffer.from(claims.reportData, 'hex')))
      return { code: 'BINDING_MISMATCH', message: 'The report data is not the SHA-256 of the runtime data.' };
  }
  if (initTime !== undefined) {
    if (claims.tee !== 'sgx' || !hasKss(claims) || claims.configId === undefined)
      return {
        code: 'INIT_TIME_UNSUPPORTED',
        message: 'Only SGX enclaves with key separation and sharing bind init-time data.',
      };
    const bound = Buffer.from(claims.configId, 'hex').subarray(0, HASH_BYTES);
    if (!timingSafeEqual(sha256(initTime.bytes), bound))
      return { code: 'INIT_TIME_MISMATCH', message: 'CONFIGID is not the SHA-256 of the init-time data.' };
  }
  return undefined;
}

const KSS_FLAG = 0x80;

/** Attribute KSS (Intel SDM vol. 3D, table 38-3): without it CONFIGID and the extended product ids mean nothing. */
export function hasKss({ attributes }: Pick<QuoteClaims, 'attributes'>): boolean {
  return attributes !== undefined && (Number.parseInt(attributes.slice(0, 2), 16) & KSS_FLAG) !== 0;
}

const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');
