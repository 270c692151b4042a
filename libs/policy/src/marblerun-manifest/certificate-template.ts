import { X509Certificate } from 'node:crypto';
import { FieldError, type FieldReader, mismatch } from './field-reader.js';
import type { JsonNode } from './go-json.js';
import type { CertificateTemplate, SubjectTemplate } from './model.js';

const FIELDS = [
  'Subject',
  'SerialNumber',
  'NotBefore',
  'NotAfter',
  'DNSNames',
  'IPAddresses',
  'EmailAddresses',
  'KeyUsage',
  'ExtKeyUsage',
  'IsCA',
  'MaxPathLen',
] as const;

/** Members of Go's x509.Certificate that have no effect on a certificate that is made from it, or that we do not carry over. */
export const UNUSED_CERTIFICATE_FIELDS = [
  'BasicConstraintsValid',
  'Version',
  'Issuer',
  'Raw',
  'RawTBSCertificate',
  'RawSubjectPublicKeyInfo',
  'RawSubject',
  'RawIssuer',
  'Signature',
  'SignatureAlgorithm',
  'PublicKeyAlgorithm',
  'PublicKey',
  'Extensions',
  'ExtraExtensions',
  'UnhandledCriticalExtensions',
  'UnknownExtKeyUsage',
  'MaxPathLenZero',
  'SubjectKeyId',
  'AuthorityKeyId',
  'OCSPServer',
  'IssuingCertificateURL',
  'URIs',
  'PermittedDNSDomainsCritical',
  'PermittedDNSDomains',
  'ExcludedDNSDomains',
  'PermittedIPRanges',
  'ExcludedIPRanges',
  'PermittedEmailAddresses',
  'ExcludedEmailAddresses',
  'PermittedURIDomains',
  'ExcludedURIDomains',
  'CRLDistributionPoints',
  'PolicyIdentifiers',
  'Policies',
] as const;

const SUBJECT_LISTS = [
  'Country',
  'Organization',
  'OrganizationalUnit',
  'Locality',
  'Province',
  'StreetAddress',
  'PostalCode',
] as const;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;
/** What Go writes for a time that is not set. */
const ZERO_TIME = '0001-01-01T00:00:00Z';

/** `Cert` of a secret: Go's JSON of an x509.Certificate, or the base64 DER of one to imitate. @throws FieldError */
export function readCertificateTemplate(
  reader: FieldReader,
  node: JsonNode | undefined,
  path: readonly string[],
): CertificateTemplate | undefined {
  if (node === undefined) return undefined;
  if (node.kind === 'string') return imitated(reader.bytes(node, path) as Buffer, node.offset);
  const f = reader.fields(node, path, FIELDS, UNUSED_CERTIFICATE_FIELDS);
  const at = (name: string): readonly string[] => [...path, name];
  const time = (name: 'NotBefore' | 'NotAfter'): Date | undefined => {
    const text = reader.string(f[name], at(name));
    if (text === '' || text === ZERO_TIME) return undefined;
    const date = new Date(text);
    if (!TIME.test(text) || Number.isNaN(date.getTime()))
      throw new FieldError(
        `parsing time ${JSON.stringify(text.slice(0, 80))}: not RFC 3339`,
        f[name]?.offset ?? 0,
      );
    return date;
  };
  return {
    subject: readSubject(reader, f.Subject, at('Subject')),
    serialNumber: serialNumber(f.SerialNumber, at('SerialNumber')),
    notBefore: time('NotBefore'),
    notAfter: time('NotAfter'),
    dnsNames: reader.strings(f.DNSNames, at('DNSNames')),
    ipAddresses: reader.strings(f.IPAddresses, at('IPAddresses')),
    emailAddresses: reader.strings(f.EmailAddresses, at('EmailAddresses')),
    keyUsage: reader.count(f.KeyUsage, at('KeyUsage'), 'uint16') ?? 0,
    extKeyUsage: reader.list(
      f.ExtKeyUsage,
      at('ExtKeyUsage'),
      (item, where) => reader.count(item, where, 'uint8') ?? 0,
    ),
    isCa: reader.bool(f.IsCA, at('IsCA')),
    maxPathLen: reader.count(f.MaxPathLen, at('MaxPathLen'), 'uint8'),
  };
}

/** Up to 20 octets (RFC 5280 §4.1.2.2), so no 64-bit number. */
function serialNumber(node: JsonNode | undefined, path: readonly string[]): bigint | undefined {
  if (node === undefined) return undefined;
  if (node.kind !== 'number' || !/^\d{1,48}$/.test(node.text)) throw mismatch(node, path, 'big.Int');
  return BigInt(node.text);
}

function readSubject(
  reader: FieldReader,
  node: JsonNode | undefined,
  path: readonly string[],
): SubjectTemplate {
  const f = reader.fields(
    node,
    path,
    [...SUBJECT_LISTS, 'CommonName', 'SerialNumber'],
    ['Names', 'ExtraNames'],
  );
  const list = (name: (typeof SUBJECT_LISTS)[number]) => reader.strings(f[name], [...path, name]);
  return {
    commonName: reader.string(f.CommonName, [...path, 'CommonName']),
    serialNumber: reader.string(f.SerialNumber, [...path, 'SerialNumber']),
    country: list('Country'),
    organization: list('Organization'),
    organizationalUnit: list('OrganizationalUnit'),
    locality: list('Locality'),
    province: list('Province'),
    streetAddress: list('StreetAddress'),
    postalCode: list('PostalCode'),
  };
}

/** The parts of a whole certificate that a template has. */
function imitated(der: Buffer, offset: number): CertificateTemplate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(der);
  } catch {
    throw new FieldError('x509: malformed certificate', offset);
  }
  const { subject } = certificate.toLegacyObject() as unknown as {
    subject?: Readonly<Record<string, string | string[]>>;
  };
  const all = (name: string): string[] => [subject?.[name] ?? []].flat();
  const names = (certificate.subjectAltName ?? '').split(', ');
  const alternative = (kind: string): string[] =>
    names.filter((name) => name.startsWith(kind)).map((name) => name.slice(kind.length));
  return {
    subject: {
      commonName: all('CN').at(-1) ?? '',
      serialNumber: all('serialNumber').at(-1) ?? '',
      country: all('C'),
      organization: all('O'),
      organizationalUnit: all('OU'),
      locality: all('L'),
      province: all('ST'),
      streetAddress: all('street'),
      postalCode: all('postalCode'),
    },
    serialNumber: undefined,
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    dnsNames: alternative('DNS:'),
    ipAddresses: alternative('IP Address:'),
    emailAddresses: alternative('email:'),
    keyUsage: 0,
    extKeyUsage: [],
    isCa: certificate.ca,
    maxPathLen: undefined,
  };
}
