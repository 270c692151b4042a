import { DcapError, parseQuote, type Quote } from '#dcap';
import { EvidenceError, parseRaTlsCertificate } from '#evidence';
import { createHash, type X509Certificate } from 'node:crypto';
import { certificateExtensions } from './certificate-extensions.js';
import { describe } from './certificates.js';
import type { Field, Inspection, Remark, Section } from './inspection.js';
import { quoteRemarks, quoteSections } from './quote.js';

interface Dialect {
  readonly oid: string;
  readonly name: string;
}

/** Where the RA-TLS dialects put their evidence, by the bytes of the object identifier. */
const DIALECTS: Readonly<Record<string, Dialect>> = {
  '06092a864886f84d8a3906': {
    oid: '0.6.9.42.840.113741.1337.6',
    name: 'Gramine (its encoding of the identifier)',
  },
  '2a864886f84d8a3906': { oid: '1.2.840.113741.1337.6', name: 'rats-tls before 2023' },
  '2a864886f84d01': { oid: '1.2.840.113741.1', name: 'Occlum' },
  '2a864886f84d010d01': { oid: '1.2.840.113741.1.13.1', name: 'Intel SGX SDK' },
  '678105050409': { oid: '2.23.133.5.4.9', name: 'TCG DICE tagged evidence' },
};
const INTEL_QE_VENDOR = Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex');
const VENDOR_AT = 12;

/** PCK certificates have this extension as well; it is evidence only if it holds a quote. */
const SGX_EXTENSION = '1.2.840.113741.1.13.1';

interface FoundEvidence {
  readonly dialect: Dialect;
  /** What is in the extension, or why no quote can be read from it. */
  readonly content: Quote | DcapError;
  /** Of the quote, else of the extension's value, in the DER of the certificate. */
  readonly offset: number;
}

/** A certificate that carries evidence in an extension; undefined for any other certificate. */
export function inspectRaTls(certificate: X509Certificate): Inspection | undefined {
  const found = findEvidence(certificate.raw);
  if (found.length === 0) return undefined;
  const sections: Section[] = [{ title: 'Certificate', fields: describe(certificate, [certificate]) }];
  sections.push({ title: 'As a wrapper of Siegel reads it', fields: reading(certificate.raw) });
  const remarks = new Map<string, Remark>();
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  const keyHash = Buffer.concat([createHash('sha256').update(spki).digest(), Buffer.alloc(32)]);
  for (const { dialect, content, offset } of found) {
    const title = `Evidence in extension ${dialect.oid}`;
    const named: Field = { name: 'dialect', value: dialect.name };
    if (content instanceof DcapError) {
      sections.push({
        title,
        fields: [named, { name: 'no quote', value: content.code, offset, note: content.message }],
      });
      continue;
    }
    sections.push({
      title,
      fields: [
        named,
        {
          name: 'quote',
          value: `version ${content.version}, ${content.tee.toUpperCase()}`,
          offset,
          size: content.bytes.length,
        },
        {
          name: 'binds the key directly',
          value: content.body.reportData.equals(keyHash),
          note: 'whether REPORTDATA is SHA-256 of the SubjectPublicKeyInfo; DICE evidence binds a hash of its claims',
        },
      ],
    });
    for (const { title: part, fields } of quoteSections(content, offset)) {
      sections.push({ title: `${part} (${dialect.oid})`, fields });
    }
    for (const remark of quoteRemarks(content)) remarks.set(remark.subject, remark);
  }
  return {
    kind: 'ra-tls-certificate',
    title: 'RA-TLS certificate',
    sections,
    remarks: [...remarks.values()],
  };
}

/** Which evidence counts and what it binds, or why the certificate would be refused. */
function reading(der: Buffer): Field[] {
  try {
    const { dialect, convention, binding, customClaims } = parseRaTlsCertificate(der);
    return [
      { name: 'evidence that counts', value: dialect },
      { name: 'convention', value: convention },
      { name: 'binds the key', value: binding.ok, ...(binding.ok ? {} : { note: binding.message }) },
      ...[...customClaims].map(([name, value]) => ({ name: `claim ${name}`, value: value.toString('hex') })),
    ];
  } catch (error) {
    if (error instanceof EvidenceError) return [{ name: 'refused', value: error.code, note: error.message }];
    throw error;
  }
}

function findEvidence(der: Buffer): FoundEvidence[] {
  const found: FoundEvidence[] = [];
  for (const { oid, value, offset } of certificateExtensions(der)) {
    const dialect = DIALECTS[oid];
    if (!dialect) continue;
    // The vendor id in the header of a quote is 16 bytes that nothing else has.
    const start = Math.max(value.indexOf(INTEL_QE_VENDOR) - VENDOR_AT, 0);
    const content = quoteAt(value.subarray(start));
    if (content instanceof DcapError && dialect.oid === SGX_EXTENSION) continue;
    found.push({ dialect, content, offset: offset + start });
  }
  return found;
}

/** The quote at the front of `bytes`, cut at its own length: CBOR claims may follow it. */
function quoteAt(bytes: Buffer): Quote | DcapError {
  try {
    const version = bytes.readUInt16LE(0);
    const bodyEnd =
      version === 5 ? 54 + bytes.readUInt32LE(50) : 48 + (bytes.readUInt32LE(4) === 0 ? 384 : 584);
    const end = bodyEnd + 4 + bytes.readUInt32LE(bodyEnd);
    return parseQuote(bytes.subarray(0, end));
  } catch (error) {
    if (error instanceof DcapError) return error;
    if (error instanceof RangeError)
      return new DcapError('QUOTE_MALFORMED', 'it ends before a quote does', { cause: error });
    throw error;
  }
}
