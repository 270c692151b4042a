import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type JsonGeneralName,
} from '@peculiar/x509';
import { createPrivateKey, hash, webcrypto, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

/** What a marble makes at each start (reference marblerun.md §2.2): a P-384 key, a certificate that it signs itself, a request. */
export interface MarbleIdentity {
  readonly privateKey: KeyObject;
  /** PEM, PKCS#8. */
  readonly key: string;
  /** DER. */
  readonly certificate: Buffer;
  readonly csr: Buffer;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
/** Go's longest duration behind now. */
const NOT_AFTER = new Date('2319-03-05T12:00:00Z');

export async function newMarbleIdentity(names: readonly string[] = ['localhost']): Promise<MarbleIdentity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const general = (all: readonly string[]): JsonGeneralName[] =>
    all.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }));
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=MarbleRun Marble',
    notBefore: new Date(),
    notAfter: NOT_AFTER,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyAgreement, true),
      new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
      new BasicConstraintsExtension(false, undefined, true),
      new SubjectAlternativeNameExtension(general([...names, '127.0.0.1', '::1'])),
    ],
  });
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: '',
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new SubjectAlternativeNameExtension(general([...names, '127.0.0.1', '::1']))],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return {
    privateKey,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: Buffer.from(certificate.rawData),
    csr: Buffer.from(csr.rawData),
  };
}

/** 64 bytes: the SHA-256 of the certificate, then zeros. */
export const reportDataOver = (certificate: Uint8Array): Buffer =>
  Buffer.concat([hash('sha256', certificate, 'buffer'), Buffer.alloc(32)]);

/** A quote as an Open Enclave report: version 1, type 2, length. */
export function openEnclaveReport(quote: Uint8Array): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(2, 4);
  header.writeBigUInt64LE(BigInt(quote.length), 8);
  return Buffer.concat([header, quote]);
}
