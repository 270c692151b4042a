import { hash, timingSafeEqual } from 'node:crypto';
import type { OwnBinding } from '../../../pipeline/evidence-gate.js';

/** report_data[0:32] is the SHA-256 of the TLS client certificate of this very connection, the rest is zero (reference §2.3). */
export function marbleBinding(certificate: Buffer): OwnBinding {
  const digest = hash('sha256', certificate, 'buffer');
  return {
    name: 'marble-certificate',
    boundKey: digest.toString('hex'),
    check: (reportData) => {
      const expected = Buffer.concat([digest, Buffer.alloc(32)]);
      if (reportData.length === 64 && timingSafeEqual(reportData, expected)) return { ok: true };
      return {
        ok: false,
        code: 'BINDING_MISMATCH',
        message: 'report_data is not the SHA-256 of the certificate of this connection',
      };
    },
  };
}
