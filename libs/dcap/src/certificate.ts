import {
  boolean,
  DerReader,
  namedBits,
  oid,
  smallInteger,
  TAG,
  time,
  unsignedBytes,
  wholeBits,
} from './der.js';
import type { DerElement } from './der.js';
import { isP256Spki, rawSignature } from './ecdsa.js';
import { DcapError } from './error.js';
import { readName } from './distinguished-name.js';

/** AlgorithmIdentifier of ecdsa-with-SHA256, the only one that Intel's PKI uses (RFC 5758 §3.2). */
export const ECDSA_WITH_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

/** Bits of KeyUsage as `namedBits` returns them. */
export const KEY_USAGE = { digitalSignature: 0x8000, keyCertSign: 0x0400, crlSign: 0x0200 } as const;

const MAX_CERTIFICATE_BYTES = 8 * 1024;
const MAX_EXTENSIONS = 16;

/** What verification needs of an X.509 v3 certificate with a P-256 key and an ECDSA-SHA256 signature. */
export interface Certificate {
  readonly raw: Buffer;
  /** The signed part. */
  readonly tbs: Buffer;
  /** The serial number in hex without leading zeros, so that equal integers are equal texts. */
  readonly serial: string;
  /** DER of the issuer's name. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly commonName: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Buffer;
  /** r‖s. */
  readonly signature: Buffer;
  readonly extensions: CertificateExtensions;
}

export interface CertificateExtensions {
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  readonly keyUsage?: number;
  readonly subjectKeyId?: Buffer;
  readonly authorityKeyId?: Buffer;
  readonly hasCrlDistributionPoints: boolean;
  /** The value of Intel's SGX extension (1.2.840.113741.1.13.1), not yet parsed. */
  readonly sgx?: Buffer;
}

/** Parses DER strictly. Throws DcapError DER_INVALID or CERT_INVALID; never checks a signature. */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new DcapError('CERT_INVALID', 'a certificate is too large');
  const raw = Buffer.from(der);
  const outer = DerReader.inside(DerReader.exactly(raw, TAG.sequence));
  const tbs = outer.next(TAG.sequence);
  requireAlgorithm(outer.next(TAG.sequence), 'CERT_INVALID');
  const signature = rawSignature(wholeBits(outer.next(TAG.bitString)));
  outer.end();

  const fields = DerReader.inside(tbs);
  const version = DerReader.inside(fields.next(TAG.context(0)));
  if (smallInteger(version.next(TAG.integer), 2) !== 2)
    throw new DcapError('CERT_INVALID', 'a certificate is not of version 3');
  version.end();
  const serial = serialOf(fields.next(TAG.integer));
  requireAlgorithm(fields.next(TAG.sequence), 'CERT_INVALID');
  const issuer = fields.next(TAG.sequence).raw;
  const validity = fields.sequence();
  const notBefore = time(validity);
  const notAfter = time(validity);
  validity.end();
  const subject = fields.next(TAG.sequence).raw;
  const spki = fields.next(TAG.sequence).raw;
  if (!isP256Spki(spki)) throw new DcapError('CERT_INVALID', 'the key of a certificate is not P-256');
  const wrapper = DerReader.inside(fields.next(TAG.context(3)));
  const extensions = readCertificateExtensions(readExtensions(wrapper.sequence(), 'CERT_INVALID'));
  wrapper.end();
  fields.end();
  const commonName = readName(subject).get('CN');
  if (commonName === undefined) throw new DcapError('CERT_INVALID', 'a certificate has no common name');
  return {
    raw,
    tbs: tbs.raw,
    serial,
    issuer,
    subject,
    commonName,
    notBefore,
    notAfter,
    spki,
    signature,
    extensions,
  };
}

export function requireAlgorithm(element: DerElement, code: 'CERT_INVALID' | 'CRL_INVALID'): void {
  if (!element.raw.equals(ECDSA_WITH_SHA256))
    throw new DcapError(code, 'the signature algorithm is not ecdsa-with-SHA256');
}

/** A serial number of at most 20 octets (RFC 5280 §4.1.2.2) as hex without leading zeros. */
export function serialOf(element: DerElement): string {
  const bytes = unsignedBytes(element);
  if (bytes.length > 20) throw new DcapError('DER_INVALID', 'DER: a serial number is too long');
  return bytes.toString('hex').replace(/^0+(?=.)/, '');
}

export interface Extension {
  readonly critical: boolean;
  readonly value: Buffer;
}

/** Extensions by OID; one that occurs twice is refused. */
export function readExtensions(
  reader: DerReader,
  code: 'CERT_INVALID' | 'CRL_INVALID',
): Map<string, Extension> {
  const found = new Map<string, Extension>();
  while (!reader.atEnd) {
    if (found.size === MAX_EXTENSIONS) throw new DcapError(code, 'too many extensions');
    const fields = reader.sequence();
    const id = oid(fields.next(TAG.oid));
    const flag = fields.optional(TAG.boolean);
    const critical = flag !== undefined && boolean(flag);
    if (flag !== undefined && !critical)
      throw new DcapError('DER_INVALID', 'DER: a default value is encoded');
    const value = fields.next(TAG.octetString).value;
    fields.end();
    if (found.has(id)) throw new DcapError(code, `the extension ${id} occurs twice`);
    found.set(id, { critical, value });
  }
  return found;
}

const OID_SUBJECT_KEY_ID = '2.5.29.14';
const OID_KEY_USAGE = '2.5.29.15';
const OID_BASIC_CONSTRAINTS = '2.5.29.19';
const OID_CRL_DISTRIBUTION_POINTS = '2.5.29.31';
const OID_AUTHORITY_KEY_ID = '2.5.29.35';
export const OID_SGX_EXTENSION = '1.2.840.113741.1.13.1';

const KNOWN: readonly string[] = [
  OID_SUBJECT_KEY_ID,
  OID_KEY_USAGE,
  OID_BASIC_CONSTRAINTS,
  OID_CRL_DISTRIBUTION_POINTS,
  OID_AUTHORITY_KEY_ID,
  OID_SGX_EXTENSION,
];

function readCertificateExtensions(found: Map<string, Extension>): CertificateExtensions {
  for (const [id, { critical }] of found) {
    if (critical && !KNOWN.includes(id))
      throw new DcapError('CERT_INVALID', `the critical extension ${id} is unknown`);
  }
  const basic = found.get(OID_BASIC_CONSTRAINTS);
  const usage = found.get(OID_KEY_USAGE);
  const subjectKey = found.get(OID_SUBJECT_KEY_ID);
  const authorityKey = found.get(OID_AUTHORITY_KEY_ID);
  const sgx = found.get(OID_SGX_EXTENSION);
  return {
    hasCrlDistributionPoints: found.has(OID_CRL_DISTRIBUTION_POINTS),
    ...(basic && { basicConstraints: readBasicConstraints(basic.value) }),
    ...(usage && { keyUsage: namedBits(DerReader.exactly(usage.value, TAG.bitString)) }),
    ...(subjectKey && { subjectKeyId: DerReader.exactly(subjectKey.value, TAG.octetString).value }),
    ...(authorityKey && readAuthorityKeyId(authorityKey.value)),
    ...(sgx && { sgx: sgx.value }),
  };
}

function readBasicConstraints(value: Buffer): { ca: boolean; pathLength?: number } {
  const fields = DerReader.inside(DerReader.exactly(value, TAG.sequence));
  const flag = fields.optional(TAG.boolean);
  const ca = flag !== undefined && boolean(flag);
  if (flag !== undefined && !ca) throw new DcapError('DER_INVALID', 'DER: a default value is encoded');
  const length = fields.optional(TAG.integer);
  fields.end();
  if (length !== undefined && !ca) throw new DcapError('CERT_INVALID', 'a path length without a CA');
  return length === undefined ? { ca } : { ca, pathLength: smallInteger(length, 255) };
}

export function readAuthorityKeyId(value: Buffer): { authorityKeyId?: Buffer } {
  const fields = DerReader.inside(DerReader.exactly(value, TAG.sequence));
  const id = fields.optional(TAG.contextPrimitive(0));
  // Issuer and serial ([1], [2]) may follow; the key identifier alone is compared.
  return id === undefined ? {} : { authorityKeyId: id.value };
}
