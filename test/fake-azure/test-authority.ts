import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const CA_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
// RSA, because the key that serves TLS also signs key releases, and those are RS256.
const LEAF_ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};
const YEAR = 365 * 86_400_000;

export const SERVED_NAMES = [
  '*.vault.azure.net',
  '*.managedhsm.azure.net',
  '*.vault.usgovcloudapi.net',
  '*.vault.azure.cn',
  'login.microsoftonline.com',
  'localhost',
] as const;

/** The certificates of the fake: an authority made at start, and one leaf for all its host names. */
export interface TestAuthority {
  /** To be trusted by clients (`caFile`, `NODE_EXTRA_CA_CERTS`). */
  readonly caPem: string;
  readonly keyPem: string;
  readonly chainPem: string;
  /** DER, leaf first, root last: the `x5c` of key releases. */
  readonly chainDer: readonly Buffer[];
}

export async function makeTestAuthority(): Promise<TestAuthority> {
  const notBefore = new Date(Date.now() - 3_600_000);
  const caKeys = await webcrypto.subtle.generateKey(CA_ALGORITHM, false, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Fake Azure Test CA',
    notBefore,
    notAfter: new Date(Date.now() + 10 * YEAR),
    signingAlgorithm: CA_ALGORITHM,
    keys: caKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const keys = await webcrypto.subtle.generateKey(LEAF_ALGORITHM, true, ['sign', 'verify']);
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: '02',
    subject: 'CN=vault.azure.net',
    issuer: ca.subject,
    notBefore,
    notAfter: new Date(Date.now() + 2 * YEAR),
    signingAlgorithm: CA_ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...SERVED_NAMES.map((value) => ({ type: 'dns' as const, value })),
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    caPem: `${ca.toString('pem')}\n`,
    chainPem: `${leaf.toString('pem')}\n${ca.toString('pem')}\n`,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    chainDer: [Buffer.from(leaf.rawData), Buffer.from(ca.rawData)],
  };
}
