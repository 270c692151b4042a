import 'reflect-metadata';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { keyTypeOf, spkiDer } from './key-encoding.js';
import type { SconeSecret } from './made-secret.js';

const crypto = webcrypto;
/** For clients whose clock is behind. */
export const BACKDATE_MS = 60_000;
/** Where the session gives no limit: "almost unlimited" in the language's words. */
const NO_END = new Date('9999-12-31T23:59:59Z');

export interface Issuer {
  readonly certificate: string;
  readonly key: KeyObject;
}

interface Algorithm {
  readonly name: string;
  readonly namedCurve?: string;
  readonly hash?: string;
}
const EC_HASH: Readonly<Record<string, string>> = { 'P-256': 'SHA-256', 'P-384': 'SHA-384' };

/** The certificate of a secret of kind x509 or x509-ca; by itself where no issuer is given. PEM. */
export async function makeCertificate(
  secret: SconeSecret,
  key: KeyObject,
  issuer: Issuer | undefined,
  now: Date,
): Promise<string> {
  const authority = secret.kind === 'x509-ca';
  const names = secret.san.map((name) => ({
    type: name.startsWith('ip:') ? ('ip' as const) : ('dns' as const),
    value: name.replace(/^(?:ip|dns):/, ''),
  }));
  const commonName = secret.commonName ?? names.find(({ type }) => type === 'dns')?.value ?? secret.name;
  const publicKey = await imported(createPublicKey(spkiPem(key)), 'verify');
  const signingKey = issuer?.key ?? key;
  const notAfter =
    secret.validForSeconds === undefined ? NO_END : new Date(now.getTime() + secret.validForSeconds * 1_000);
  const usages = authority
    ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature
    : KeyUsageFlags.digitalSignature;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(authority, undefined, true),
    new KeyUsagesExtension(usages, true),
    await SubjectKeyIdentifierExtension.create(publicKey, false, crypto),
  ];
  const usage = authority ? undefined : secret.endpoint;
  if (usage !== undefined)
    extensions.push(
      new ExtendedKeyUsageExtension([
        usage === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth,
      ]),
    );
  if (names.length > 0) extensions.push(new SubjectAlternativeNameExtension(names));
  if (issuer)
    extensions.push(
      await AuthorityKeyIdentifierExtension.create(
        await imported(createPublicKey(spkiPem(issuer.key)), 'verify'),
        false,
        crypto,
      ),
    );
  const subject = [{ CN: [commonName] }];
  const made = await X509CertificateGenerator.create(
    {
      serialNumber: serial(),
      subject,
      issuer: issuer ? subjectOf(issuer.certificate) : subject,
      notBefore: new Date(now.getTime() - BACKDATE_MS),
      notAfter,
      publicKey,
      signingKey: await imported(signingKey, 'sign'),
      signingAlgorithm: algorithmOf(signingKey) as never,
      extensions,
    },
    crypto,
  );
  return `${made.toString('pem')}\n`;
}

function subjectOf(certificate: string): string {
  return new X509Certificate(certificate).subject;
}

function serial(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  bytes[0]! |= 0x01;
  return bytes.toString('hex');
}

function algorithmOf(key: KeyObject): Algorithm {
  const type = keyTypeOf(key) ?? '';
  if (type === 'Ed25519') return { name: 'Ed25519' };
  if (type.startsWith('RSA')) return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return { name: 'ECDSA', namedCurve: type, hash: EC_HASH[type] ?? 'SHA-256' };
}

function imported(key: KeyObject, usage: 'sign' | 'verify'): Promise<webcrypto.CryptoKey> {
  const algorithm = algorithmOf(key);
  const der =
    key.type === 'private'
      ? key.export({ format: 'der', type: 'pkcs8' })
      : key.export({ format: 'der', type: 'spki' });
  const format = key.type === 'private' ? 'pkcs8' : 'spki';
  return crypto.subtle.importKey(format, new Uint8Array(der), algorithm, true, [usage]);
}

const spkiPem = (key: KeyObject) => ({ key: spkiDer(key), format: 'der', type: 'spki' }) as const;

export const keyOf = (pem: string): KeyObject => createPrivateKey(pem);
