import { X509Certificate } from 'node:crypto';
import { toPem } from '#pki';

export interface ServerCarrier {
  readonly quote: Buffer;
  readonly spki: Buffer;
}

/** DER of the extension's identifier, 1.2.840.113741.1. */
const OID = Buffer.from('06072a864886f84d01', 'hex');

/** Finds the quote as Occlum's client does: by the bytes of the identifier, with exactly four bytes of DER before the value. */
export function readCarrier(certificate: Buffer): ServerCarrier {
  const at = certificate.indexOf(OID);
  if (at < 0) throw new Error('no quote in the certificate');
  const value = at + OID.length;
  if (certificate[value] !== 0x04 || certificate[value + 1] !== 0x82)
    throw new Error('not four bytes of DER before the quote');
  const length = certificate.readUInt16BE(value + 2);
  if (length < 256 || length > 65_535) throw new Error(`a quote of ${length} bytes`);
  const { publicKey } = new X509Certificate(toPem('CERTIFICATE', certificate));
  return {
    quote: certificate.subarray(value + 4, value + 4 + length),
    spki: publicKey.export({ type: 'spki', format: 'der' }),
  };
}
