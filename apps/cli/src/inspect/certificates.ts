import { DcapError, parsePckCertificate } from '#dcap';
import { createHash, X509Certificate } from 'node:crypto';
import { field, present, type Field, type Inspection, type Section } from './inspection.js';

const MAX_CERTIFICATES = 16;
const PEM =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/** X.509 certificates: a PCK chain, a signing chain, or any others. @throws TypeError-like errors of OpenSSL for damage */
export function inspectCertificates(pem: string): Inspection {
  const { sections, pck } = certificateSections(pem);
  const count = `${sections.filter(({ title }) => title.startsWith('Certificate')).length}`;
  const title = pck
    ? `PCK certificate${count === '1' ? '' : ` chain of ${count}`}`
    : count === '1'
      ? 'X.509 certificate'
      : `${count} X.509 certificates`;
  return { kind: 'certificates', title, sections, remarks: [] };
}

/** The certificates of a PEM text, at most 16. */
export function certificateBlocks(pem: string): string[] {
  return (pem.match(PEM) ?? []).slice(0, MAX_CERTIFICATES);
}

/** One section for each certificate, one more for each SGX extension. */
export function certificateSections(pem: string): { sections: Section[]; pck: boolean } {
  const certificates = certificateBlocks(pem).map((block) => new X509Certificate(block));
  const sections: Section[] = [];
  let pck = false;
  certificates.forEach((certificate, index) => {
    sections.push({ title: `Certificate ${index + 1}`, fields: describe(certificate, certificates) });
    const sgx = sgxSection(certificate);
    if (sgx) {
      pck = true;
      sections.push(sgx);
    }
  });
  return { sections, pck };
}

/** The fields of one certificate; `others` are searched for its issuer. */
export function describe(certificate: X509Certificate, others: readonly X509Certificate[]): Field[] {
  const key = certificate.publicKey;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const bits = key.asymmetricKeyDetails?.modulusLength;
  const issuer = others.find(
    (other) => certificate.checkIssued(other) && certificate.verify(other.publicKey),
  );
  const spki = key.export({ type: 'spki', format: 'der' });
  return present(
    field('subject', oneLine(certificate.subject)),
    field('issuer', oneLine(certificate.issuer)),
    field('serial', certificate.serialNumber.toLowerCase()),
    field('not before', certificate.validFromDate.toISOString()),
    field('not after', certificate.validToDate.toISOString()),
    field(
      'key',
      [key.asymmetricKeyType, curve, bits === undefined ? undefined : `${bits} bit`]
        .filter(Boolean)
        .join(' '),
    ),
    field('CA', certificate.ca),
    certificate.subjectAltName === undefined
      ? undefined
      : field('alternative names', certificate.subjectAltName),
    field(
      'signature',
      issuer ? 'verifies with the key of its issuer in this file' : 'its issuer is not in this file',
    ),
    field('sha256', createHash('sha256').update(certificate.raw).digest('hex')),
    field(
      'sha256 of the key',
      createHash('sha256').update(spki).digest('hex'),
      'of the SubjectPublicKeyInfo',
    ),
  );
}

/** The SGX extension of a PCK certificate; undefined for a certificate that has none. */
function sgxSection(certificate: X509Certificate): Section | undefined {
  let sgx;
  try {
    ({ sgx } = parsePckCertificate(certificate.raw));
  } catch (error) {
    // A certificate without the extension, or one that only resembles a PCK: its section above says all there is.
    if (error instanceof DcapError) return undefined;
    throw error;
  }
  const { configuration = {} } = sgx;
  const flag = (name: string, value: boolean | undefined, note: string): Field | undefined =>
    value === undefined ? undefined : field(name, value, note);
  return {
    title: 'SGX extension (1.2.840.113741.1.13.1)',
    fields: present(
      field('FMSPC', sgx.fmspc, 'the platform family; TCB info is looked up by it'),
      field('PCEID', sgx.pceId),
      field('TCB components', sgx.tcbComponents.toString('hex'), 'compared with the levels of TCB info'),
      field('PCESVN', sgx.pceSvn),
      field('CPUSVN', sgx.cpuSvn.toString('hex')),
      field('PPID', sgx.ppid.toString('hex'), 'identifies the machine'),
      field('SGX type', sgx.sgxType),
      sgx.platformInstanceId && field('platform instance', sgx.platformInstanceId.toString('hex')),
      flag('dynamic platform', configuration.dynamicPlatform, 'whether packages may be added or replaced'),
      flag('cached keys', configuration.cachedKeys, 'whether Intel keeps the platform’s root keys'),
      flag('SMT enabled', configuration.smtEnabled, 'hyper-threading'),
    ),
  };
}

/** OpenSSL writes one attribute per line. */
const oneLine = (name: string): string => name.split('\n').join(', ');
