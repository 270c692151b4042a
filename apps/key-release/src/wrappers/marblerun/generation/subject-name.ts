import { derElement, derOid, derSequence, derSet, derUtf8String } from '#pki';
import type { SubjectTemplate } from '../interface.js';

/** Attributes in the order of Go's `pkix.Name.ToRDNSequence` (X.520 identifiers). */
const ATTRIBUTES = {
  country: derOid('2.5.4.6'),
  organization: derOid('2.5.4.10'),
  organizationalUnit: derOid('2.5.4.11'),
  locality: derOid('2.5.4.7'),
  province: derOid('2.5.4.8'),
  streetAddress: derOid('2.5.4.9'),
  postalCode: derOid('2.5.4.17'),
} as const;
const COMMON_NAME = derOid('2.5.4.3');
const SERIAL_NUMBER = derOid('2.5.4.5');

/** DER Name; the values of one attribute share one relative name, as Go writes them. */
export function subjectName(subject: SubjectTemplate): Buffer {
  const parts = Object.entries(ATTRIBUTES).map(([member, oid]) =>
    relativeName(oid, subject[member as keyof typeof ATTRIBUTES]),
  );
  return derSequence(
    ...[
      ...parts,
      relativeName(COMMON_NAME, subject.commonName === '' ? [] : [subject.commonName]),
      relativeName(SERIAL_NUMBER, subject.serialNumber === '' ? [] : [subject.serialNumber]),
    ].filter((part) => part !== undefined),
  );
}

export const commonNameOnly = (commonName: string): Buffer =>
  derSequence(derSet(derSequence(COMMON_NAME, directoryString(commonName))));

function relativeName(oid: Buffer, values: readonly string[]): Buffer | undefined {
  if (values.length === 0) return undefined;
  // DER orders the elements of a SET OF by their octets (X.690 §11.6).
  const attributes = values.map((value) => derSequence(oid, directoryString(value))).sort(Buffer.compare);
  return derElement(0x31, ...attributes);
}

/** PrintableString where its alphabet is enough, UTF8String elsewhere. */
function directoryString(text: string): Buffer {
  return /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)
    ? derElement(0x13, Buffer.from(text, 'latin1'))
    : derUtf8String(text);
}
