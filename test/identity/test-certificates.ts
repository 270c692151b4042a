import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { randomBytes, webcrypto } from 'node:crypto';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

export interface LeafOptions {
  readonly subject?: string;
  readonly san?: { type: 'dns' | 'url' | 'email' | 'ip'; value: string }[];
  /** Default: clientAuth. */
  readonly usage?: 'client' | 'server';
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface Leaf {
  readonly certPem: string;
  readonly keyPem: string;
  readonly serial: string;
}

/** An authority of a test's own, for server and client certificates and a revocation list. */
export class TestCa {
  private constructor(
    readonly pem: string,
    private readonly certificate: x509.X509Certificate,
    private readonly keys: webcrypto.CryptoKeyPair,
  ) {}

  static async create(name = 'CN=Test CA'): Promise<TestCa> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name,
      notBefore: new Date(Date.now() - HOUR_MS),
      notAfter: new Date(Date.now() + 24 * HOUR_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestCa(`${certificate.toString('pem')}\n`, certificate, keys);
  }

  async leaf({
    subject = 'CN=client',
    san = [],
    usage = 'client',
    notBefore = new Date(Date.now() - HOUR_MS),
    notAfter = new Date(Date.now() + HOUR_MS),
  }: LeafOptions = {}): Promise<Leaf> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const serial = `10${randomBytes(8).toString('hex')}`;
    const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      subject,
      issuer: this.certificate.subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        new x509.ExtendedKeyUsageExtension([usage === 'client' ? clientAuth : serverAuth]),
        ...(san.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(san)]),
      ],
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    return {
      certPem: `${certificate.toString('pem')}\n`,
      keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
      serial,
    };
  }

  /** For 127.0.0.1 and localhost. */
  server(): Promise<Leaf> {
    const san = [
      { type: 'dns' as const, value: 'localhost' },
      { type: 'ip' as const, value: '127.0.0.1' },
    ];
    return this.leaf({ subject: 'CN=localhost', san, usage: 'server' });
  }

  async revocationList(serials: readonly string[]): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.certificate.subject,
      thisUpdate: new Date(Date.now() - HOUR_MS),
      nextUpdate: new Date(Date.now() + HOUR_MS),
      signingAlgorithm: ALGORITHM,
      signingKey: this.keys.privateKey,
      entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date() })),
    });
    // Under the name that OpenSSL knows.
    const base64 = Buffer.from(crl.rawData).toString('base64').replaceAll(/.{64}/g, '$&\n');
    return `-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`;
  }
}
