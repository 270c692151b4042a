import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto, X509Certificate, createHash } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { readCertificateBundle, writePkcs12 } from '#vault';
import { badParameter, KeyVaultError, objectOf, stringOf, type JsonObject } from './wire.js';

/** What Key Vault has after it made or took in a certificate. */
export interface IssuedCertificate {
  readonly der: Buffer;
  /** Issuers, DER. */
  readonly chain: readonly Buffer[];
  /** PKCS#8 DER. */
  readonly privateKey: Buffer;
}

const PKCS12 = 'application/x-pkcs12';

interface KeyProperties {
  readonly kty: string;
  readonly bits: number;
  readonly crv: string;
  readonly exportable: boolean;
}

/** A policy with the service's defaults filled in. */
export function completePolicy(policy: JsonObject): JsonObject {
  const key = policy['key_props'] === undefined ? {} : objectOf(policy['key_props'], 'policy.key_props');
  const secret =
    policy['secret_props'] === undefined ? {} : objectOf(policy['secret_props'], 'policy.secret_props');
  return {
    ...policy,
    key_props: { exportable: true, kty: 'RSA', key_size: 2048, reuse_key: false, ...key },
    secret_props: { contentType: PKCS12, ...secret },
    x509_props: {
      subject: '',
      validity_months: 12,
      ...((policy['x509_props'] as JsonObject | undefined) ?? {}),
    },
    issuer: { name: 'Unknown', ...((policy['issuer'] as JsonObject | undefined) ?? {}) },
  };
}

export const contentTypeOf = (policy: JsonObject): string =>
  stringOf((policy['secret_props'] as JsonObject)['contentType'], 'policy.secret_props.contentType');

export const isExportable = (policy: JsonObject): boolean => keyProperties(policy).exportable;

export const issuerOf = (policy: JsonObject): string =>
  stringOf((policy['issuer'] as JsonObject)['name'], 'policy.issuer.name');

export async function generateKeys(policy: JsonObject): Promise<webcrypto.CryptoKeyPair> {
  const { kty, bits, crv } = keyProperties(policy);
  const algorithm = kty.startsWith('EC')
    ? { name: 'ECDSA', namedCurve: crv, hash: 'SHA-256' }
    : {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        publicExponent: new Uint8Array([1, 0, 1]),
        modulusLength: bits,
      };
  return webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}

export async function selfSign(
  policy: JsonObject,
  keys: webcrypto.CryptoKeyPair,
  now: Date,
): Promise<IssuedCertificate> {
  const properties = objectOf(policy['x509_props'], 'policy.x509_props');
  const notAfter = new Date(now);
  notAfter.setUTCMonth(notAfter.getUTCMonth() + Number(properties['validity_months']));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: subjectOf(properties),
    notBefore: new Date(now.getTime() - 600_000),
    notAfter,
    signingAlgorithm: keys.publicKey
      .algorithm as x509.X509CertificateCreateSelfSignedParams['signingAlgorithm'] & object,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
        true,
      ),
      ...alternativeNames(properties),
    ],
  });
  return { der: Buffer.from(certificate.rawData), chain: [], privateKey: await exportKey(keys) };
}

export async function makeRequest(policy: JsonObject, keys: webcrypto.CryptoKeyPair): Promise<string> {
  const properties = objectOf(policy['x509_props'], 'policy.x509_props');
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subjectOf(properties),
    keys,
    signingAlgorithm: signingAlgorithmOf(keys),
    extensions: alternativeNames(properties),
  });
  return Buffer.from(request.rawData).toString('base64');
}

// A generated EC key does not name a hash, an RSA key does.
const signingAlgorithmOf = (keys: webcrypto.CryptoKeyPair): { name: string; hash: string } => ({
  ...keys.publicKey.algorithm,
  hash: 'SHA-256',
});

export const exportKey = async (keys: webcrypto.CryptoKeyPair): Promise<Buffer> =>
  Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));

/** Takes in what a client imports: PEM, or base64 of PKCS#12 with the empty password. */
export function readImport(value: string, contentType: string | undefined): IssuedCertificate {
  const isPem = contentType === 'application/x-pem-file' || value.includes('-----BEGIN');
  try {
    const bytes = isPem ? Buffer.from(value) : Buffer.from(value, 'base64');
    const bundle = readCertificateBundle(bytes, isPem ? 'application/x-pem-file' : PKCS12, {
      objectName: 'import',
    });
    const [der, ...chain] = pemBlocks(bundle.chainPem);
    const [privateKey] = pemBlocks(bundle.privateKeyPem.toString());
    if (der === undefined || privateKey === undefined) throw new Error('empty');
    return { der, chain, privateKey };
  } catch (error) {
    throw badParameter(`The specified certificate can not be used: ${(error as Error).message}`);
  }
}

/** @throws KeyVaultError 400 when the certificate is not for the pending key */
export function mergeChain(x5c: unknown, privateKey: Buffer): IssuedCertificate {
  if (!Array.isArray(x5c) || x5c.length === 0) throw badParameter('Property x5c is required.');
  const [der, ...chain] = x5c.map((entry) => Buffer.from(stringOf(entry, 'x5c'), 'base64'));
  const expected = createPublicKey(
    createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }),
  ).export({
    type: 'spki',
    format: 'der',
  });
  const certificate = new X509Certificate(pemOf(der ?? Buffer.alloc(0), 'CERTIFICATE'));
  if (!certificate.publicKey.export({ type: 'spki', format: 'der' }).equals(expected)) {
    throw new KeyVaultError(
      400,
      'BadParameter',
      'Public key of the end entity certificate in the specified X.509 certificate content does not match the public part of the specified private key.',
    );
  }
  return { der: der ?? Buffer.alloc(0), chain, privateKey };
}

/** The value of the secret that carries the certificate; without the key where the policy forbids its export. */
export function secretValueOf(issued: IssuedCertificate, policy: JsonObject): string {
  const all = [issued.der, ...issued.chain];
  const exportable = isExportable(policy);
  if (contentTypeOf(policy) === PKCS12 && exportable) {
    return writePkcs12(issued.privateKey, all, '').toString('base64');
  }
  const key = exportable ? pemOf(issued.privateKey, 'PRIVATE KEY') : '';
  return key + all.map((der) => pemOf(der, 'CERTIFICATE')).join('');
}

export const thumbprintOf = (der: Buffer): string => createHash('sha1').update(der).digest('base64url');

export const validityOf = (der: Buffer): { nbf: number; exp: number } => {
  const certificate = new X509Certificate(pemOf(der, 'CERTIFICATE'));
  return { nbf: Date.parse(certificate.validFrom) / 1000, exp: Date.parse(certificate.validTo) / 1000 };
};

const pemOf = (der: Buffer, label: string): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;

const pemBlocks = (pem: string): Buffer[] =>
  [...pem.matchAll(/-----BEGIN [A-Z ]+-----([^-]+)-----END/g)].map((match) =>
    Buffer.from(match[1] ?? '', 'base64'),
  );

function keyProperties(policy: JsonObject): KeyProperties {
  const properties = objectOf(policy['key_props'], 'policy.key_props');
  return {
    kty: stringOf(properties['kty'], 'policy.key_props.kty'),
    bits: Number(properties['key_size'] ?? 2048),
    crv: typeof properties['crv'] === 'string' ? properties['crv'] : 'P-256',
    exportable: properties['exportable'] === true,
  };
}

const subjectOf = (properties: JsonObject): string => {
  const subject = stringOf(properties['subject'], 'policy.x509_props.subject');
  if (subject === '' && properties['sans'] === undefined)
    throw badParameter('Either subject or SAN is required.');
  return subject;
};

function alternativeNames(properties: JsonObject): x509.Extension[] {
  if (properties['sans'] === undefined || properties['sans'] === null) return [];
  const sans = objectOf(properties['sans'], 'policy.x509_props.sans');
  const dns = Array.isArray(sans['dns_names'])
    ? sans['dns_names'].map((value) => ({ type: 'dns' as const, value: String(value) }))
    : [];
  return dns.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(dns)];
}
