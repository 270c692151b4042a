import type { SecretDefinition, SubjectTemplate } from '../interface.js';
import { EXTENDED_KEY_USAGE, KEY_USAGE, writeCertificate } from './certificate-writer.js';
import type { Issuer } from './issuer.js';
import { subjectName } from './subject-name.js';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 365;
const NO_SUBJECT: SubjectTemplate = {
  commonName: '',
  serialNumber: '',
  country: [],
  organization: [],
  organizationalUnit: [],
  locality: [],
  province: [],
  streetAddress: [],
  postalCode: [],
};

/** Go's numbers of `x509.ExtKeyUsage`. */
const GO_USAGES: readonly string[] = [
  '2.5.29.37.0',
  EXTENDED_KEY_USAGE.serverAuth,
  EXTENDED_KEY_USAGE.clientAuth,
  '1.3.6.1.5.5.7.3.3',
  '1.3.6.1.5.5.7.3.4',
  '1.3.6.1.5.5.7.3.5',
  '1.3.6.1.5.5.7.3.6',
  '1.3.6.1.5.5.7.3.7',
  '1.3.6.1.5.5.7.3.8',
  '1.3.6.1.5.5.7.3.9',
  '1.3.6.1.4.1.311.10.3.3',
  '2.16.840.1.113730.4.1',
  '1.3.6.1.4.1.311.2.1.22',
  '1.3.6.1.4.1.311.61.1.1',
];

/**
 * The certificate of a certificate secret, by its template and the defaults for what the template leaves out.
 * Source: reference marblerun.md §1.3, recorded certificates.
 */
export function writeSecretCertificate(
  { cert, validFor }: SecretDefinition,
  publicKey: Buffer,
  issuer: Issuer,
  now: Date,
): Promise<Buffer> {
  const dnsNames = cert && cert.dnsNames.length > 0 ? cert.dnsNames : ['localhost'];
  const subject = cert?.subject ?? NO_SUBJECT;
  const commonName =
    subject.commonName || (dnsNames.length === 1 ? dnsNames[0]! : 'MarbleRun Generated Certificate');
  const notBefore = cert?.notBefore ?? now;
  const usages = (cert?.extKeyUsage ?? []).flatMap((number) => GO_USAGES[number] ?? []);
  return writeCertificate(
    {
      subject: subjectName({ ...subject, commonName }),
      publicKey,
      serialNumber: cert?.serialNumber,
      notBefore,
      notAfter: cert?.notAfter ?? new Date(notBefore.getTime() + (validFor || DEFAULT_DAYS) * DAY_MS),
      keyUsage: cert?.keyUsage || KEY_USAGE.digitalSignature | KEY_USAGE.certSign,
      extendedKeyUsage: usages.length > 0 ? usages : Object.values(EXTENDED_KEY_USAGE),
      authority: cert?.isCa ? { maxPathLength: cert.maxPathLen } : undefined,
      dnsNames,
      ipAddresses: cert && cert.ipAddresses.length > 0 ? cert.ipAddresses : ['127.0.0.1', '::1'],
      emailAddresses: cert?.emailAddresses ?? [],
    },
    issuer,
  );
}
