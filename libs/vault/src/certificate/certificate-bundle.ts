import { createHash, createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { isPkcs12, PEM, PKCS12 } from '../content-type.js';
import { VaultError, type VaultErrorDetails } from '../errors.js';
import type { CertificateValue } from '../secret-source.js';
import { readPkcs12 } from './pkcs12.js';

const MAX_CERTIFICATES = 16;
const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[A-Za-z0-9+/=\s]+-----END \1-----/g;

/** A certificate secret without what only the vault knows of it. */
export type CertificateBundle = Pick<
  CertificateValue,
  'contentType' | 'chainPem' | 'privateKeyPem' | 'notBefore' | 'notAfter' | 'sha256'
>;

/**
 * Reads the private key and the certificates that a vault keeps in one secret: PEM, or PKCS#12 with the empty password
 * (what Key Vault stores). The leaf is the certificate of that private key, so the pair cannot be torn; issuers follow in order.
 * @throws VaultError SECRET_CONTENT_INVALID, CERTIFICATE_NOT_EXPORTABLE
 */
export function readCertificateBundle(
  value: Uint8Array,
  contentType: string | undefined,
  details: VaultErrorDetails,
): CertificateBundle {
  const invalid = (why: string, cause?: unknown): VaultError =>
    new VaultError(
      'SECRET_CONTENT_INVALID',
      `${details.objectName ?? 'the secret'} is not a certificate with its key: ${why}`,
      details,
      { cause },
    );
  try {
    const isPfx = isPkcs12(contentType);
    const { key, certificates } = isPfx ? fromPkcs12(value) : fromPem(value);
    if (certificates.length === 0) throw invalid('it holds no certificate');
    if (key === undefined) {
      throw new VaultError(
        'CERTIFICATE_NOT_EXPORTABLE',
        `${details.objectName ?? 'the secret'} holds no private key`,
        details,
      );
    }
    const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key));
    if (leaf === undefined) throw invalid('no certificate in it belongs to the private key');
    const chain = inOrder(leaf, certificates);
    return {
      contentType: isPfx ? PKCS12 : PEM,
      chainPem: chain.map((certificate) => certificate.toString()).join(''),
      privateKeyPem: Buffer.from(key.export({ type: 'pkcs8', format: 'pem' })),
      notBefore: new Date(leaf.validFrom),
      notAfter: new Date(leaf.validTo),
      sha256: createHash('sha256').update(leaf.raw).digest('hex'),
    };
  } catch (error) {
    if (error instanceof VaultError) throw error;
    throw invalid((error as Error).message, error);
  }
}

interface Parts {
  readonly key: KeyObject | undefined;
  readonly certificates: readonly X509Certificate[];
}

function fromPem(value: Uint8Array): Parts {
  const blocks = Buffer.from(value).toString('latin1').match(PEM_BLOCK) ?? [];
  const certificates = blocks.filter((block) => block.startsWith('-----BEGIN CERTIFICATE-----'));
  const keys = blocks.filter((block) => /^-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/.test(block));
  if (keys.length > 1) throw new Error('it holds more than one private key');
  if (certificates.length > MAX_CERTIFICATES)
    throw new Error(`it holds more than ${MAX_CERTIFICATES} certificates`);
  return {
    key: keys[0] === undefined ? undefined : createPrivateKey(keys[0]),
    certificates: certificates.map((block) => new X509Certificate(block)),
  };
}

function fromPkcs12(value: Uint8Array): Parts {
  const { privateKeys, certificates } = readPkcs12(value, '');
  if (privateKeys.length > 1) throw new Error('it holds more than one private key');
  if (certificates.length > MAX_CERTIFICATES)
    throw new Error(`it holds more than ${MAX_CERTIFICATES} certificates`);
  const [der] = privateKeys;
  return {
    key: der === undefined ? undefined : createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
    certificates: certificates.map(certificateFromDer),
  };
}

/**
 * From DER by way of PEM: Node looks for PEM inside DER first, and would take a certificate that is embedded in an
 * extension (an RA-TLS certificate's quote, for one) for the certificate itself.
 */
const certificateFromDer = (der: Uint8Array): X509Certificate =>
  new X509Certificate(
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`,
  );

/** Leaf, its issuer, and so on; certificates that do not belong to the chain are left out. */
function inOrder(leaf: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const chain = [leaf];
  for (let last = leaf; chain.length <= all.length;) {
    const issuer = all.find(
      (candidate) =>
        !chain.includes(candidate) && last.checkIssued(candidate) && last.verify(candidate.publicKey),
    );
    if (issuer === undefined) break;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}
