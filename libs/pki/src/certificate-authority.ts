import 'reflect-metadata';
import { webcrypto, X509Certificate as NodeCertificate } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { toPem } from './certificate-pem.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';
import { randomSerial } from './serial-number.js';
import { signRaw } from './signer.js';
import type { Signer } from './signer.js';

/** A certificate of the authority, parsed once. */
export interface AuthorityCertificate {
  readonly der: Buffer;
  readonly pem: string;
  /** DER Name of the subject, as it stands in the certificate. */
  readonly subject: Buffer;
  readonly keyIdentifier: Buffer;
  readonly key: PublicKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface AuthorityRequest {
  role: 'root' | 'intermediate';
  trustDomain: string;
  subjectKey: PublicKey;
  notBefore: Date;
  notAfter: Date;
  /** Absent for a root, which signs itself. */
  issuer?: AuthorityCertificate;
  /** Of the issuer. */
  signer: Signer;
}

/** Makes a root or an intermediate certificate, signed by any ES256 signer (a vault's key too). */
export async function createAuthorityCertificate(request: AuthorityRequest): Promise<AuthorityCertificate> {
  const { role, trustDomain, subjectKey, issuer, signer } = request;
  if (subjectKey.kind !== 'P-256' || signer.alg !== 'ES256')
    throw new PkiError('KEY_NOT_USABLE', 'the authority uses P-256');
  const keyIdentifier = subjectKey.keyIdentifier.toString('hex');
  // The key's name in the subject keeps authorities of one trust domain apart for verifiers that look up by name.
  const subject = [
    ...(trustDomain.length <= 64 ? [{ O: [trustDomain] }] : []),
    { CN: [`Siegel mesh ${role} ${keyIdentifier.slice(0, 8)}`] },
  ];
  const issuerName =
    issuer === undefined ? subject : new X509Certificate(new Uint8Array(issuer.der)).subjectName;
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomSerial().toString('hex'),
      subject,
      issuer: issuerName,
      notBefore: wholeSeconds(request.notBefore),
      notAfter: wholeSeconds(request.notAfter),
      publicKey: new Uint8Array(subjectKey.spki),
      signingAlgorithm: ECDSA_SHA256,
      signingKey: NAMED_KEY,
      extensions: [
        new BasicConstraintsExtension(true, role === 'root' ? 1 : 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        new SubjectKeyIdentifierExtension(keyIdentifier),
        ...(issuer === undefined
          ? []
          : [new AuthorityKeyIdentifierExtension(issuer.keyIdentifier.toString('hex'))]),
        // A signing certificate's SPIFFE ID has no path (X509-SVID §3.2).
        new SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${trustDomain}` }]),
      ],
    },
    signerCrypto(signer),
  );
  return parseAuthorityCertificate(Buffer.from(certificate.rawData), role);
}

/**
 * Parses and checks an authority's certificate: P-256, CA, able to sign certificates. `source` is named in the
 * CA_STATE_INVALID error.
 */
export function parseAuthorityCertificate(der: Buffer, source: string): AuthorityCertificate {
  try {
    const certificate = new X509Certificate(new Uint8Array(der));
    const key = PublicKey.fromSpki(new Uint8Array(certificate.publicKey.rawData));
    const constraints = certificate.getExtension(BasicConstraintsExtension);
    const usages = certificate.getExtension(KeyUsagesExtension);
    const identifier = certificate.getExtension(SubjectKeyIdentifierExtension);
    if (key.kind !== 'P-256' || constraints?.ca !== true || identifier === null)
      throw new Error('not an authority');
    if (usages === null || (usages.usages & KeyUsageFlags.keyCertSign) === 0)
      throw new Error('not for certificates');
    return {
      der,
      pem: toPem('CERTIFICATE', der),
      subject: Buffer.from(certificate.subjectName.toArrayBuffer()),
      keyIdentifier: Buffer.from(identifier.keyId, 'hex'),
      key,
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
    };
  } catch (cause) {
    throw new PkiError('CA_STATE_INVALID', `${source}: certificate`, { cause });
  }
}

/** Whether `issuer` has issued and signed `certificate` (for a root: itself). */
export function isIssuedBy(certificate: AuthorityCertificate, issuer: AuthorityCertificate): boolean {
  const child = new NodeCertificate(certificate.der);
  return child.checkIssued(new NodeCertificate(issuer.der)) && child.verify(issuer.key.keyObject);
}

export const ECDSA_SHA256 = { name: 'ECDSA', hash: 'SHA-256' };

/** The generator reads only the algorithm of its signing key; the signature is made by {@link signerCrypto}. */
export const NAMED_KEY = {
  algorithm: { name: 'ECDSA', namedCurve: 'P-256' },
} as unknown as webcrypto.CryptoKey;

/** A Crypto whose only signature is the signer's, so that the generator can be used with keys it cannot hold. */
export function signerCrypto(signer: Signer): webcrypto.Crypto {
  const subtle = {
    sign: async (_algorithm: unknown, _key: unknown, data: ArrayBuffer): Promise<ArrayBuffer> => {
      const signature = await signRaw(signer, new Uint8Array(data));
      return new Uint8Array(signature).buffer;
    },
  };
  return {
    subtle,
    getRandomValues: webcrypto.getRandomValues.bind(webcrypto),
  } as unknown as webcrypto.Crypto;
}

export function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}
