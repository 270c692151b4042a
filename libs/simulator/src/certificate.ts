import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  integer,
  namedBits,
  octetString,
  oid,
  pem,
  printableString,
  sequence,
  setOf,
  time,
  utf8String,
} from './der-writer.js';
import { signatureToDer, type P256Key } from './p256-key.js';

/** ecdsa-with-SHA256, without parameters (RFC 5758 §3.2). */
export const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));

export const EXTENSION_OIDS = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  crlReason: '2.5.29.21',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyId: '2.5.29.35',
  sgx: '1.2.840.113741.1.13.1',
} as const;

/** Bits of KeyUsage (RFC 5280 §4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0, nonRepudiation: 1, keyCertSign: 5, crlSign: 6 } as const;

export interface Extension {
  oid: string;
  critical?: boolean;
  /** DER of the extension's value, without the OCTET STRING around it. */
  value: Buffer;
}

/** All that makes a certificate; a negative test takes a valid one and replaces exactly one field. */
export interface CertificateProfile {
  /** Version as encoded: 2 means v3. `null` leaves the field out (v1). */
  version: number | null;
  serial: Buffer;
  issuer: Buffer;
  subject: Buffer;
  notBefore: Date;
  notAfter: Date;
  spki: Buffer;
  extensions: Extension[];
  /** AlgorithmIdentifier inside and outside of the signed part. */
  innerAlgorithm: Buffer;
  outerAlgorithm: Buffer;
  signer: P256Key;
  /** Changes the signed part after it is built, before it is signed. */
  editTbs?: (tbs: Buffer) => Buffer;
  /** Changes the DER signature after signing. */
  editSignature?: (signature: Buffer) => Buffer;
}

/** A certificate together with what it was made from. */
export interface IssuedCertificate {
  profile: CertificateProfile;
  der: Buffer;
  pem: string;
  /** The subject's own key. */
  key: P256Key;
}

/** A name in the form of Intel's certificates: CN, O, L, ST as UTF8String and C as PrintableString, in this order. */
export function intelName(commonName: string, organization = 'Intel Corporation'): Buffer {
  const part = (type: string, value: Buffer): Buffer => setOf(sequence(oid(type), value));
  return sequence(
    part('2.5.4.3', utf8String(commonName)),
    part('2.5.4.10', utf8String(organization)),
    part('2.5.4.7', utf8String('Santa Clara')),
    part('2.5.4.8', utf8String('CA')),
    part('2.5.4.6', printableString('US')),
  );
}

export const NAMES = {
  root: 'Intel SGX Root CA',
  platform: 'Intel SGX PCK Platform CA',
  processor: 'Intel SGX PCK Processor CA',
  pck: 'Intel SGX PCK Certificate',
  tcbSigner: 'Intel SGX TCB Signing',
} as const;

export function encodeExtension(extension: Extension): Buffer {
  return sequence(
    oid(extension.oid),
    ...(extension.critical === true ? [boolean(true)] : []),
    octetString(extension.value),
  );
}

export const authorityKeyIdExtension = (keyId: Uint8Array): Extension => ({
  oid: EXTENSION_OIDS.authorityKeyId,
  value: sequence(contextPrimitive(0, keyId)),
});

export const basicConstraintsExtension = (ca: { pathLength?: number } | false): Extension => ({
  oid: EXTENSION_OIDS.basicConstraints,
  critical: true,
  value:
    ca === false
      ? sequence()
      : sequence(boolean(true), ...(ca.pathLength === undefined ? [] : [integer(ca.pathLength)])),
});

export const keyUsageExtension = (...bits: number[]): Extension => ({
  oid: EXTENSION_OIDS.keyUsage,
  critical: true,
  value: namedBits(...bits),
});

/** The five extensions that every certificate of Intel's chains carries, in Intel's order. */
export function chainExtensions(options: {
  authorityKeyId: Uint8Array;
  subjectKeyId: Uint8Array;
  crlUrl: string;
  ca: { pathLength?: number } | false;
}): Extension[] {
  const uri = contextPrimitive(6, Buffer.from(options.crlUrl, 'latin1'));
  return [
    authorityKeyIdExtension(options.authorityKeyId),
    { oid: EXTENSION_OIDS.crlDistributionPoints, value: sequence(sequence(context(0, context(0, uri)))) },
    { oid: EXTENSION_OIDS.subjectKeyId, value: octetString(options.subjectKeyId) },
    options.ca === false
      ? keyUsageExtension(KEY_USAGE.digitalSignature, KEY_USAGE.nonRepudiation)
      : keyUsageExtension(KEY_USAGE.keyCertSign, KEY_USAGE.crlSign),
    basicConstraintsExtension(options.ca),
  ];
}

/** Builds and signs an X.509 certificate (RFC 5280 §4.1). */
export function issueCertificate(profile: CertificateProfile, key: P256Key): IssuedCertificate {
  const built = sequence(
    ...(profile.version === null ? [] : [context(0, integer(profile.version))]),
    integer(profile.serial),
    profile.innerAlgorithm,
    profile.issuer,
    sequence(time(profile.notBefore), time(profile.notAfter)),
    profile.subject,
    profile.spki,
    ...(profile.extensions.length === 0
      ? []
      : [context(3, sequence(...profile.extensions.map(encodeExtension)))]),
  );
  const tbs = profile.editTbs?.(built) ?? built;
  const signature = signatureToDer(profile.signer.signDeterministic(tbs));
  const bytes = sequence(
    tbs,
    profile.outerAlgorithm,
    bitString(profile.editSignature?.(signature) ?? signature),
  );
  return { profile, der: bytes, pem: pem('CERTIFICATE', bytes), key };
}

/** The same certificate with some fields replaced, signed again. */
export function reissue(
  issued: IssuedCertificate,
  changes: Partial<CertificateProfile>,
  key = issued.key,
): IssuedCertificate {
  return issueCertificate({ ...issued.profile, ...changes }, key);
}
