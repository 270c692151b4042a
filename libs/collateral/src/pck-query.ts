import { parsePckCertificate, splitPemChain, type Quote } from '#dcap';
import type { PckQuery } from './sources/collateral-source.js';

/**
 * What to ask a source for, from certification data of types 1 to 4 (reference: DCAP Quoting Library API, "QE certification data").
 * `undefined` for a quote that carries its chain. Throws DcapError for a leaf (type 4) that is not a PCK certificate.
 */
export function pckQueryOf(quote: Quote): PckQuery | undefined {
  const { certification } = quote.qe;
  const qeId = quote.userData.toString('hex', 0, 16);
  if (certification.type === 5) return undefined;
  if (certification.type === 4) {
    const [leaf] = splitPemChain(certification.raw);
    const { sgx } = parsePckCertificate(leaf as Buffer);
    return {
      qeId,
      encryptedPpid: '',
      cpuSvn: sgx.cpuSvn.toString('hex'),
      pceSvn: littleEndian(sgx.pceSvn),
      pceId: sgx.pceId,
    };
  }
  return {
    qeId,
    encryptedPpid: certification.type === 1 ? '' : certification.ppid.toString('hex'),
    cpuSvn: certification.cpuSvn.toString('hex'),
    pceSvn: littleEndian(certification.pceSvn),
    // Early quoting enclaves leave it out; there has only ever been one PCE.
    pceId: certification.pceId ?? '0000',
  };
}

function littleEndian(value: number): string {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes.toString('hex');
}
