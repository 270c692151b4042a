import { DcapError, DerReader, TAG } from '#dcap';
import { EmAppError } from './em-app-error.js';
import { ATTRIBUTE_OIDS, COMMON_NAME_OID, NAME_OIDS } from './object-identifiers.js';
import { type ReportPart, reportPart, reportPartBytes, sameBytes } from './sgx-report.js';

/** Real requests have about 8 KiB. */
export const MAX_EM_APP_REQUEST_BYTES = 48 * 1024;
const MAX_NAME_PARTS = 32;
const MAX_ATTRIBUTES = 8;

/** What the subject of a request says of the enclave, as the bytes stand in its REPORT. */
export type EnclaveName = Readonly<Record<Exclude<ReportPart, 'isvExtProdId'>, Buffer>> & {
  readonly isvExtProdId?: Buffer;
};

export interface EmAppRequest {
  readonly commonName?: string;
  readonly enclave: EnclaveName;
  /** Content of each attribute by the hex of its OID. */
  readonly attributes: ReadonlyMap<string, Buffer>;
}

/**
 * Subject and attributes of a certificate request of em-app (rust-sgx: em-app/src/platform/sgx.rs, sgx_pkix/src/attestation.rs), by a
 * strict DER walk. Signature, key and alternative names are a general CSR reader's to read.
 *
 * @throws EmAppError
 */
export function readEmAppRequest(der: Buffer): EmAppRequest {
  if (der.length > MAX_EM_APP_REQUEST_BYTES) throw new EmAppError('EM_CSR_MALFORMED', 'too large');
  return strictly('EM_CSR_MALFORMED', () => {
    const outer = DerReader.inside(DerReader.exactly(der, TAG.sequence));
    const info = outer.sequence();
    info.next(TAG.integer);
    const names = subjectParts(info.sequence());
    info.next(TAG.sequence);
    const attributes = attributesOf(DerReader.inside(info.next(TAG.context(0))));
    info.end();
    const commonName = names.text.get(COMMON_NAME_OID);
    return {
      ...(commonName === undefined ? {} : { commonName }),
      enclave: enclaveName(names.bits),
      attributes,
    };
  });
}

/** KEYID and MAC of the REPORT, from a request for an attestation. @throws EmAppError */
export function localAttestation({ attributes }: EmAppRequest): { keyId: Buffer; mac: Buffer } {
  const [keyId, mac] = twoStrings(attributes, ATTRIBUTE_OIDS.inlineSgxLocal);
  return { keyId, mac };
}

/** The two "certificates" of a request for a certificate; em-app takes them over unread. @throws EmAppError */
export function embeddedCertificates({ attributes }: EmAppRequest): { app: Buffer; node: Buffer } {
  const [app, node] = twoStrings(attributes, ATTRIBUTE_OIDS.embeddedFqpe);
  return { app, node };
}

/** Whether the subject names the enclave of this report body. @throws EmAppError EM_REPORT_MISMATCH */
export function requireEnclave({ enclave }: EmAppRequest, body: Buffer): void {
  for (const [part, named] of Object.entries(enclave) as [ReportPart, Buffer][]) {
    if (!sameBytes(named, reportPart(body, part))) throw new EmAppError('EM_REPORT_MISMATCH', part);
  }
}

interface NameParts {
  readonly bits: ReadonlyMap<string, Buffer>;
  readonly text: ReadonlyMap<string, string>;
}

function subjectParts(subject: DerReader): NameParts {
  const bits = new Map<string, Buffer>();
  const text = new Map<string, string>();
  const seen = new Set<string>();
  while (!subject.atEnd) {
    const relative = DerReader.inside(subject.next(TAG.set));
    const part = relative.sequence();
    relative.end();
    const oid = part.next(TAG.oid).value.toString('hex');
    if (seen.size === MAX_NAME_PARTS) throw new EmAppError('EM_CSR_MALFORMED', 'too many names');
    if (seen.has(oid)) throw new EmAppError('EM_NAME_TWICE', oid);
    seen.add(oid);
    const tag = part.peek();
    const { value } = part.next(tag);
    part.end();
    if (tag === TAG.bitString) bits.set(oid, value);
    else if (tag === TAG.utf8String || tag === TAG.printableString) text.set(oid, utf8(value));
  }
  return { bits, text };
}

function enclaveName(bits: ReadonlyMap<string, Buffer>): EnclaveName {
  const found: Partial<Record<ReportPart, Buffer>> = {};
  for (const [part, oid] of Object.entries(NAME_OIDS) as [ReportPart, string][]) {
    const value = bits.get(oid);
    if (value === undefined) {
      if (part === 'isvExtProdId') continue;
      throw new EmAppError('EM_NAME_MISSING', part);
    }
    if (value[0] !== 0 || value.length !== 1 + reportPartBytes(part))
      throw new EmAppError('EM_NAME_INVALID', part);
    found[part] = value.subarray(1);
  }
  return found as EnclaveName;
}

function attributesOf(list: DerReader): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  while (!list.atEnd) {
    const attribute = list.sequence();
    const oid = attribute.next(TAG.oid).value.toString('hex');
    const values = DerReader.inside(attribute.next(TAG.set));
    attribute.end();
    if (found.size === MAX_ATTRIBUTES) throw new EmAppError('EM_CSR_MALFORMED', 'too many attributes');
    if (found.has(oid)) throw new EmAppError('EM_CSR_MALFORMED', `attribute ${oid} twice`);
    found.set(oid, values.next(TAG.sequence).raw);
    values.end();
  }
  return found;
}

function twoStrings(attributes: ReadonlyMap<string, Buffer>, oid: string): [Buffer, Buffer] {
  const value = attributes.get(oid);
  if (value === undefined) throw new EmAppError('EM_ATTESTATION_MISSING');
  return strictly('EM_ATTESTATION_MALFORMED', () => {
    const fields = DerReader.inside(DerReader.exactly(value, TAG.sequence));
    const strings: [Buffer, Buffer] = [
      fields.next(TAG.octetString).value,
      fields.next(TAG.octetString).value,
    ];
    fields.end();
    return strings;
  });
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new EmAppError('EM_NAME_INVALID', 'no UTF-8');
  }
}

function strictly<T>(code: 'EM_CSR_MALFORMED' | 'EM_ATTESTATION_MALFORMED', read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DcapError) throw new EmAppError(code, error.message, { cause: error });
    throw error;
  }
}
