import 'reflect-metadata';
import { X509Certificate as NodeCertificate } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { ECDSA_SHA256, NAMED_KEY, signerCrypto, wholeSeconds } from './certificate-authority.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';
import { randomSerial } from './serial-number.js';
import type { Signer } from './signer.js';

export interface TokenCertificateRequest {
  /** Absent for the root, which certifies itself. */
  subject?: Signer;
  /** The certifying key. */
  certifier: Signer;
  notBefore: Date;
  notAfter: Date;
}

/**
 * A certificate in the chain of a token key, DER: the certifier's own (an authority for one level), or that of a local key
 * (digitalSignature alone). Names and usages differ from those of the mesh CA, so that neither passes for the other.
 * Throws KEY_NOT_USABLE, SIGNER_FAILED.
 */
export async function createTokenCertificate(request: TokenCertificateRequest): Promise<Buffer> {
  const { subject = request.certifier, certifier } = request;
  const isRoot = request.subject === undefined;
  const [key, issuer] = [subject, certifier].map(({ publicKey }) => PublicKey.fromKeyObject(publicKey)) as [
    PublicKey,
    PublicKey,
  ];
  if (key.kind !== 'P-256' || issuer.kind !== 'P-256')
    throw new PkiError('KEY_NOT_USABLE', 'token keys are P-256');
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomSerial().toString('hex'),
      subject: nameOf(isRoot ? 'root' : 'key', key),
      issuer: nameOf('root', issuer),
      notBefore: wholeSeconds(request.notBefore),
      notAfter: wholeSeconds(request.notAfter),
      publicKey: new Uint8Array(key.spki),
      signingAlgorithm: ECDSA_SHA256,
      signingKey: NAMED_KEY,
      extensions: [
        new BasicConstraintsExtension(isRoot, isRoot ? 0 : undefined, true),
        new KeyUsagesExtension(isRoot ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature, true),
        new SubjectKeyIdentifierExtension(key.keyIdentifier.toString('hex')),
        ...(isRoot ? [] : [new AuthorityKeyIdentifierExtension(issuer.keyIdentifier.toString('hex'))]),
      ],
    },
    signerCrypto(certifier),
  );
  return Buffer.from(certificate.rawData);
}

const nameOf = (role: 'root' | 'key', key: PublicKey) => [
  { CN: [`Siegel token ${role} ${key.keyIdentifier.toString('hex').slice(0, 16)}`] },
];

/**
 * Whether `leaf` is the certificate of `key`, issued by `root`, which certifies itself; and until when it holds.
 * Throws CA_STATE_INVALID with what is wrong.
 */
export function checkTokenChain(
  leaf: Buffer,
  root: Buffer,
  key: Signer,
): { notAfter: Date; certifierKid: string } {
  const [certificate, authority] = [leaf, root].map((der) => parse(der)) as [
    NodeCertificate,
    NodeCertificate,
  ];
  const issuing = PublicKey.fromKeyObject(authority.publicKey);
  if (PublicKey.fromKeyObject(certificate.publicKey).thumbprint !== key.kid)
    throw new PkiError('CA_STATE_INVALID', 'the certificate is of another key');
  if (!authority.ca || !authority.verify(authority.publicKey))
    throw new PkiError('CA_STATE_INVALID', 'the certifier does not certify itself');
  if (certificate.ca || !certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
    throw new PkiError('CA_STATE_INVALID', 'the certificate is of another certifier');
  return {
    notAfter: new Date(Math.min(Date.parse(certificate.validTo), Date.parse(authority.validTo))),
    certifierKid: issuing.thumbprint,
  };
}

function parse(der: Buffer): NodeCertificate {
  try {
    return new NodeCertificate(der);
  } catch (cause) {
    throw new PkiError('CA_STATE_INVALID', 'token certificate', { cause });
  }
}
