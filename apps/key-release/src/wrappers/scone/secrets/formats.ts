import { createPublicKey } from 'node:crypto';
import { keyOf } from './certificates.js';
import { derOfPem, pkcs8Der, spkiDer } from './key-encoding.js';
import { type MadeSecret, SecretProblem } from './made-secret.js';
import { armored } from './pgp/armor.js';
import { pkcs12 } from './pkcs12.js';

type Certified = Extract<MadeSecret, { kind: 'x509' | 'x509-ca' }>;
type Format<T> = (secret: T) => Buffer;

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const keyPem = (privateKey: string): Buffer => text(privateKey);
const keyDer = (privateKey: string): Buffer => pkcs8Der(keyOf(privateKey));

const BINARY: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  '': (bytes) => bytes,
  bin: (bytes) => bytes,
  hex: (bytes) => text(bytes.toString('hex')),
  base64: (bytes) => text(bytes.toString('base64')),
  base64url: (bytes) => text(bytes.toString('base64url')),
  base32: (bytes) => text(base32(bytes)),
  base32nopad: (bytes) => text(base32(bytes).replace(/=+$/, '')),
};

const PRIVATE_KEY: Readonly<Record<string, (privateKey: string) => Buffer>> = {
  '': keyPem,
  pem: keyPem,
  'pkcs8:pem': keyPem,
  der: keyDer,
  'pkcs8:der': keyDer,
};

const PUBLIC_KEY: Readonly<Record<string, (publicKey: string) => Buffer>> = {
  '': text,
  'spki:pem': text,
  'spki:der': (publicKey) => spkiDer(createPublicKey(publicKey)),
};

const CERTIFICATE: Readonly<Record<string, Format<Certified>>> = {
  '': ({ certificate }) => text(certificate),
  crt: ({ certificate }) => text(certificate),
  'crt:pem': ({ certificate }) => text(certificate),
  'crt:der': ({ certificate }) => derOfPem(certificate),
  // From the first that signed it to the root, the certificate itself excluded.
  chain: ({ issuers }) => text(issuers.join('')),
  'pkcs12-with-private-key': (secret) =>
    pkcs12(keyDer(requireKey(secret)), [secret.certificate, ...secret.issuers].map(derOfPem)),
  ...Object.fromEntries(
    Object.entries(PRIVATE_KEY).map(([format, render]): [string, Format<Certified>] => [
      format === '' ? 'privatekey' : `privatekey:${format}`,
      (secret) => render(requireKey(secret)),
    ]),
  ),
};

/** Of sessions before 0.3.5, with a dot. */
const LEGACY_CERTIFICATE: Readonly<Record<string, Format<Certified>>> = {
  crt: ({ certificate }) => text(certificate),
  key: (secret) => keyPem(requireKey(secret)),
  // Root first, the certificate itself included.
  chain: ({ certificate, issuers }) => text([certificate, ...issuers].toReversed().join('')),
};

const PGP_FORMS: Readonly<Record<string, (label: string, bytes: Buffer) => Buffer>> = {
  asciiarmored: (label, bytes) => text(armored(label, bytes)),
  binary: (_label, bytes) => bytes,
  base64: (_label, bytes) => text(bytes.toString('base64')),
};

/** A secret in one of its formats. @throws SecretProblem SCONE_FORMAT_UNKNOWN */
export function formatSecret(name: string, secret: MadeSecret, format: string, legacy: boolean): Buffer {
  const unknown = (): never => {
    const written = `${legacy ? '.' : ':'}${format}`;
    throw new SecretProblem(
      'SCONE_FORMAT_UNKNOWN',
      `"${name}" of kind ${secret.kind} has no format "${written}"`,
    );
  };
  const pick = <T>(formats: Readonly<Record<string, T>>): T =>
    !legacy && Object.hasOwn(formats, format) ? formats[format]! : unknown();
  switch (secret.kind) {
    case 'ascii':
      return format === '' ? text(secret.text) : unknown();
    case 'binary': {
      const bytes = Buffer.from(secret.base64, 'base64');
      return legacy && format === 'hex' ? text(bytes.toString('hex')) : pick(BINARY)(bytes);
    }
    case 'private-key':
      return pick(PRIVATE_KEY)(secret.privateKey);
    case 'public-key':
      return pick(PUBLIC_KEY)(secret.publicKey);
    case 'x509':
    case 'x509-ca':
      if (!legacy) return pick(CERTIFICATE)(secret);
      return Object.hasOwn(LEGACY_CERTIFICATE, format) ? LEGACY_CERTIFICATE[format]!(secret) : unknown();
    case 'pgp-key': {
      const [which = '', form = 'asciiarmored'] = format === '' ? ['privatekey'] : format.split(':');
      const render = Object.hasOwn(PGP_FORMS, form) ? PGP_FORMS[form] : undefined;
      if (legacy || !render || format.split(':').length > 2) return unknown();
      if (which === 'privatekey')
        return render('PGP PRIVATE KEY BLOCK', Buffer.from(secret.secretKey, 'base64'));
      if (which === 'publickey')
        return render('PGP PUBLIC KEY BLOCK', Buffer.from(secret.publicKey, 'base64'));
      return unknown();
    }
  }
}

function requireKey({ privateKey }: Certified): string {
  if (privateKey !== '') return privateKey;
  throw new SecretProblem('SCONE_SECRET_UNKNOWN', 'the certificate was given without a private key');
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 §6, with padding. */
export function base32(bytes: Uint8Array): string {
  let out = '';
  let value = 0;
  let bits = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) out += BASE32[(value >>> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  if (bits > 0) out += BASE32[(value << (5 - bits)) & 31];
  return out.padEnd(Math.ceil(out.length / 8) * 8, '=');
}
