import { BINARY, PKCS12 } from '#vault';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { keyTypeOf, pem, pkcs8Der, readPrivateKey, spkiDer } from './key-encoding.js';
import { type MadeSecret, SecretProblem, type SconeSecret } from './made-secret.js';

const MAX_CERTIFICATES = 9;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----[^-]+-----END (?:RSA |EC )?PRIVATE KEY-----/;

/**
 * What was read from a vault as a secret of its kind. Where the session names none: certificates in PEM become `x509`, content type `PKCS#1`
 * a private key, `binary` bytes; everything else is text, PKCS #12 too.
 *
 * @param contentType as the vault has it
 * @throws SecretProblem SCONE_SECRET_INVALID, and SCONE_SECRET_NOT_SERVED for kinds that no vault has
 */
export function vaultSecret(
  { name, kind }: SconeSecret,
  bytes: Buffer,
  contentType: string | undefined,
): MadeSecret {
  const type = contentType?.trim().toLowerCase();
  if (type === 'pkcs#1') {
    if (kind === undefined || kind === 'private-key') return rsaKey(name, bytes);
    throw invalid(name, `is a PKCS#1 key in its vault, and ${kind} in the session`);
  }
  // The vault's reader has decoded these two; the language leaves PKCS #12 the text that it is.
  if (type === PKCS12 && (kind === undefined || kind === 'ascii'))
    return { kind: 'ascii', text: bytes.toString('base64') };
  switch (kind) {
    case 'binary':
      return { kind, base64: bytes.toString('base64') };
    case 'ascii':
      return { kind, text: textOf(name, bytes) };
    case 'private-key':
      return privateKey(name, textOf(name, bytes));
    case 'public-key':
      return publicKey(name, textOf(name, bytes));
    case 'x509':
    case 'x509-ca':
      return certified(name, kind, textOf(name, bytes));
    case undefined: {
      if (type === 'binary' || type === BINARY) return { kind: 'binary', base64: bytes.toString('base64') };
      const text = textOf(name, bytes);
      if (text.includes('-----BEGIN CERTIFICATE-----')) return certified(name, 'x509', text);
      return { kind: 'ascii', text };
    }
    default:
      throw new SecretProblem('SCONE_SECRET_NOT_SERVED', `"${name}": no vault keeps the kind ${kind}`);
  }
}

function textOf(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(name, 'is no text');
  }
}

function rsaKey(name: string, der: Buffer): MadeSecret {
  try {
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs1' });
    return privateKeyOf(pem('PRIVATE KEY', pkcs8Der(key)), keyTypeOf(key));
  } catch {
    throw invalid(name, 'is no RSA key in PKCS #1');
  }
}

function privateKey(name: string, text: string): MadeSecret {
  const key = readPrivateKey(text, name);
  return privateKeyOf(pem('PRIVATE KEY', pkcs8Der(key)), keyTypeOf(key));
}

const privateKeyOf = (written: string, keyType = 'RSA'): MadeSecret => ({
  kind: 'private-key',
  privateKey: written,
  keyType,
  migrate: false,
});

function publicKey(name: string, text: string): MadeSecret {
  try {
    return { kind: 'public-key', publicKey: pem('PUBLIC KEY', spkiDer(createPublicKey(text))) };
  } catch {
    throw invalid(name, 'is no public key');
  }
}

/** Certificates in PEM, the own one first, and its key where there is one. */
function certified(name: string, kind: 'x509' | 'x509-ca', text: string): MadeSecret {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0 || blocks.length > MAX_CERTIFICATES)
    throw invalid(name, `has ${blocks.length} certificates in PEM`);
  let certificates: X509Certificate[];
  try {
    certificates = blocks.map((block) => new X509Certificate(block));
  } catch {
    throw invalid(name, 'is no certificate');
  }
  const [certificate = '', ...issuers] = certificates.map(({ raw }) => pem('CERTIFICATE', raw));
  const [written] = PRIVATE_KEY.exec(text) ?? [];
  if (written === undefined) return { kind, certificate, issuers, privateKey: '' };
  try {
    const key = createPrivateKey(written);
    if (certificates[0]?.checkPrivateKey(key) === true)
      return { kind, certificate, issuers, privateKey: pem('PRIVATE KEY', pkcs8Der(key)) };
  } catch {
    // Said below.
  }
  throw invalid(name, 'is not a certificate with its private key');
}

const invalid = (name: string, why: string): SecretProblem =>
  new SecretProblem('SCONE_SECRET_INVALID', `"${name}" of its vault ${why}`);
