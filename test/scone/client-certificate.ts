import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { hash, KeyObject, webcrypto, X509Certificate } from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };

export interface Identity {
  readonly cert: string;
  readonly key: string;
  readonly der: Buffer;
  /** SHA-256 of the SPKI, hex. */
  readonly spkiHash: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface CertificateChange {
  readonly issuer?: Identity;
  readonly authority?: boolean;
  readonly usage?: string;
  readonly notAfter?: Date;
}

/** A certificate as clients of a CAS have them: P-384, by itself unless an issuer is given. */
export async function certificate(name: string, change: CertificateChange = {}): Promise<Identity> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const { issuer, authority = false, usage = ExtendedKeyUsage.clientAuth } = change;
  const made = await X509CertificateGenerator.create(
    {
      subject: `CN=${name}`,
      issuer: issuer ? new X509Certificate(issuer.cert).subject : `CN=${name}`,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: change.notAfter ?? new Date(Date.now() + 3_600_000),
      publicKey: keys.publicKey,
      signingKey: (issuer?.keys ?? keys).privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(authority, undefined, true),
        ...(authority ? [] : [new ExtendedKeyUsageExtension([usage])]),
      ],
    },
    webcrypto,
  );
  const der = Buffer.from(made.rawData);
  const { publicKey } = new X509Certificate(der);
  return {
    cert: made.toString('pem'),
    key: KeyObject.from(keys.privateKey).export({ format: 'pem', type: 'pkcs8' }).toString(),
    der,
    spkiHash: hash('sha256', publicKey.export({ format: 'der', type: 'spki' }), 'hex'),
    keys,
  };
}
