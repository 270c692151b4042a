import { hasOpenEnclaveHeader, parseQuote, stripOpenEnclaveHeader, type Quote } from '#dcap';
import { createHash } from 'node:crypto';
import { DEBUG_MEANING } from '../meaning/tcb-status.js';
import { readRows, row } from './byte-fields.js';
import { certificateSections } from './certificates.js';
import type { Field, Inspection, Remark, Section } from './inspection.js';
import { DESCRIPTOR, HEADER, SGX_BODY, TD10_BODY, TD15_BODY } from './quote-layout.js';

const CERTIFICATION_TYPES: Readonly<Record<number, string>> = {
  1: 'PPID in clear; the PCK certificate must be looked up',
  2: 'PPID encrypted with RSA-2048; the PCK certificate must be looked up',
  3: 'PPID encrypted with RSA-3072; the PCK certificate must be looked up',
  4: 'PCK certificate; its issuers must be looked up',
  5: 'PCK certificate chain',
};

/** A quote, bare or as Open Enclave evidence. @throws DcapError if it is malformed */
export function inspectQuote(evidence: Buffer): Inspection {
  const openEnclave = hasOpenEnclaveHeader(evidence);
  const quote = parseQuote(stripOpenEnclaveHeader(evidence));
  const sections = quoteSections(quote, openEnclave ? 16 : 0);
  const name = `${quote.tee.toUpperCase()} quote, version ${quote.version}`;
  if (!openEnclave) return { kind: 'quote', title: name, sections, remarks: quoteRemarks(quote) };
  const header: Section = {
    title: 'Open Enclave header',
    fields: readRows(
      evidence,
      [row(0, 4, 'version', 'u32'), row(4, 4, 'type', 'u32'), row(8, 8, 'quote size')],
      0,
    ),
  };
  return {
    kind: 'open-enclave-evidence',
    title: `Open Enclave evidence with an ${name}`,
    sections: [header, ...sections],
    remarks: quoteRemarks(quote),
  };
}

/** All parts of a parsed quote; `base` is where it begins in the file. */
export function quoteSections(quote: Quote, base: number): Section[] {
  const { bytes } = quote;
  const offset = (part: Buffer): number => base + part.byteOffset - bytes.byteOffset;
  const sections: Section[] = [{ title: 'Header', fields: readRows(bytes, HEADER, base) }];
  if (quote.version === 5) {
    sections.push({ title: 'Body descriptor', fields: readRows(bytes.subarray(48), DESCRIPTOR, base + 48) });
  }
  const [bodyName, layout] = {
    sgx: ['Report of the enclave', SGX_BODY] as const,
    td10: ['Report of the TD (1.0)', TD10_BODY] as const,
    td15: ['Report of the TD (1.5)', TD15_BODY] as const,
  }[quote.body.kind];
  sections.push({ title: bodyName, fields: readRows(quote.body.raw, layout, offset(quote.body.raw)) });

  const part = (name: string, buffer: Buffer, note?: string): Field => ({
    name,
    value: buffer.toString('hex'),
    offset: offset(buffer),
    size: buffer.length,
    ...(note === undefined ? {} : { note }),
  });
  const { qe } = quote;
  const { certification } = qe;
  sections.push(
    {
      title: 'Signature',
      fields: [
        part(
          'signature',
          quote.signature,
          `r and s, over bytes ${base} to ${base + quote.signedRegion.length - 1}`,
        ),
        part('attestation key', quote.attestationKey, 'x and y of a P-256 point'),
      ],
    },
    {
      title: 'Report of the quoting enclave',
      fields: readRows(qe.report.raw, SGX_BODY, offset(qe.report.raw)),
    },
    {
      title: 'What binds the attestation key to the platform',
      fields: [
        part(
          'QE report signature',
          qe.reportSignature,
          'by the PCK key over the report of the quoting enclave',
        ),
        ...(qe.authData.length > 0 ? [part('QE authentication data', qe.authData)] : []),
        { name: 'attestation key bound', value: bindsAttestationKey(quote) },
        {
          name: 'certification type',
          value: certification.type,
          note: CERTIFICATION_TYPES[certification.type] ?? 'unknown',
        },
        {
          name: 'certification data',
          value: `${certification.raw.length} bytes`,
          offset: offset(certification.raw),
          size: certification.raw.length,
        },
      ],
    },
  );
  if (certification.type === 4 || certification.type === 5) {
    sections.push(...certificateSections(certification.raw.toString('latin1')).sections);
  } else {
    sections.push({
      title: 'PCK identification',
      fields: [
        part('PPID', certification.ppid),
        part('CPUSVN', certification.cpuSvn),
        { name: 'PCESVN', value: certification.pceSvn },
        ...(certification.pceId === undefined ? [] : [{ name: 'PCEID', value: certification.pceId }]),
      ],
    });
  }
  if (quote.trailingPadding > 0) {
    const fields = [
      {
        name: 'zero bytes',
        value: quote.trailingPadding,
        offset: base + bytes.length,
        size: quote.trailingPadding,
      },
    ];
    sections.push({ title: 'Padding', fields });
  }
  return sections;
}

export function quoteRemarks(quote: Quote): Remark[] {
  const remarks: Remark[] = [];
  if (quote.body.debug) remarks.push({ subject: 'debug', ...DEBUG_MEANING });
  if (quote.qe.report.debug) {
    remarks.push({
      subject: 'debug quoting enclave',
      meaning: 'The quoting enclave itself runs in debug mode; nothing that it signs can be believed.',
      action: 'Use the production quoting enclave.',
    });
  }
  remarks.push({
    subject: 'not verified',
    meaning: 'These are the words of the file. Whether they are true only a verification says.',
    action: 'siegel verify QUOTE --collateral BUNDLE --at TIME',
  });
  return remarks;
}

/** REPORTDATA of the quoting enclave is SHA-256(attestation key ‖ authentication data) and 32 zero bytes. */
function bindsAttestationKey({ attestationKey, qe }: Quote): boolean {
  const hash = createHash('sha256').update(attestationKey).update(qe.authData).digest();
  return Buffer.concat([hash, Buffer.alloc(32)]).equals(qe.report.reportData);
}
