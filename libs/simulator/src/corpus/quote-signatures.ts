import { createHash } from 'node:crypto';
import { bindQeReport, resignQuote, signedRegion, type QuoteParts } from '../quote-parts.js';
import {
  ALL_KINDS,
  flipped,
  KINDS,
  overwritten,
  quoteCase,
  type BrokenCase,
  type Kind,
  type Scene,
} from './evidence.js';

/** Byte offsets of the fields of a body, one of each class of meaning. */
const SGX_FIELDS: Record<string, number> = {
  cpuSvn: 0,
  miscSelect: 16,
  isvExtProdId: 32,
  'attributes, debug flag': 48,
  xfrm: 56,
  mrenclave: 64,
  mrsigner: 159,
  configId: 192,
  isvProdId: 256,
  isvSvn: 258,
  configSvn: 260,
  isvFamilyId: 304,
  'reportData, first byte': 320,
  'reportData, last byte': 383,
};
const TD_FIELDS: Record<string, number> = {
  teeTcbSvn: 2,
  mrSeam: 16,
  tdAttributes: 120,
  xfam: 128,
  mrtd: 136,
  mrConfigId: 184,
  mrOwner: 232,
  mrOwnerConfig: 280,
  rtmr0: 328,
  rtmr1: 376,
  rtmr2: 424,
  rtmr3: 519,
  'reportData, first byte': 520,
  'reportData, last byte': 583,
};
const TD15_FIELDS: Record<string, number> = { ...TD_FIELDS, teeTcbSvn2: 586, mrServiceTd: 647 };
const HEADER_FIELDS: Record<string, number> = { 'QE SVN': 8, 'PCE SVN': 10, 'QE id': 28, 'user data': 47 };

const fieldsOf = (kind: Kind): Record<string, number> =>
  KINDS[kind].tee === 'sgx' ? SGX_FIELDS : kind === 'td15-v5' ? TD15_FIELDS : TD_FIELDS;

/** A changed bit in anything that the attestation key signed. */
function changedFields(kind: Kind): BrokenCase[] {
  const body = Object.entries(fieldsOf(kind)).map(([field, at]) =>
    quoteCase(`quote-signature/changed ${field}`, kind, 'QUOTE_SIGNATURE_INVALID', (parts) => ({
      ...parts,
      body: flipped(parts.body, at, at === 48 ? 0x02 : 0x01),
    })),
  );
  const header = Object.entries(HEADER_FIELDS).map(([field, at]) =>
    quoteCase(`quote-signature/changed ${field} of the header`, kind, 'QUOTE_SIGNATURE_INVALID', (parts) => ({
      ...parts,
      header: flipped(parts.header, at),
    })),
  );
  return [...body, ...header];
}

function badSignatures(kind: Kind): BrokenCase[] {
  const edits: [string, (signature: Buffer, parts: QuoteParts, made: Scene) => Buffer][] = [
    ['r changed', (signature) => flipped(signature, 0)],
    ['s changed', (signature) => flipped(signature, 63)],
    ['zero', () => Buffer.alloc(64)],
    ['r zero', (signature) => overwritten(signature, 0, Buffer.alloc(32))],
    ['s zero', (signature) => overwritten(signature, 32, Buffer.alloc(32))],
    ['all ones', () => Buffer.alloc(64, 0xff)],
    ['halves swapped', (signature) => Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])],
    [
      'little-endian halves',
      (signature) =>
        Buffer.concat([
          Buffer.from(signature.subarray(0, 32)).reverse(),
          Buffer.from(signature.subarray(32)).reverse(),
        ]),
    ],
    ['by another key', (_, parts, made) => made.strangerKey.sign(signedRegion(parts))],
    ['by the PCK', (_, parts, made) => made.pckKey.sign(signedRegion(parts))],
    ['over the body alone', (_, parts, made) => made.attestationKey.sign(parts.body)],
    [
      'over the digest',
      (_, parts, made) => made.attestationKey.sign(createHash('sha256').update(signedRegion(parts)).digest()),
    ],
  ];
  const cases = edits.map(([what, edit]) =>
    quoteCase(`quote-signature/${what}`, kind, 'QUOTE_SIGNATURE_INVALID', (parts, made) => ({
      ...parts,
      signature: edit(parts.signature, parts, made),
    })),
  );
  const withoutDescriptor =
    KINDS[kind].version === 5
      ? [
          quoteCase(
            'quote-signature/without the body descriptor',
            kind,
            'QUOTE_SIGNATURE_INVALID',
            (parts, made) => ({
              ...parts,
              signature: made.attestationKey.sign(Buffer.concat([parts.header, parts.body])),
            }),
          ),
        ]
      : [];
  return [...cases, ...withoutDescriptor];
}

/** The report of the quoting enclave must be the PCK's. */
function qeReportSignatures(kind: Kind): BrokenCase[] {
  const changed = [0, 16, 48, 64, 128, 256, 258, 320, 352].map((at) =>
    quoteCase(`qe-report/changed at ${at}`, kind, 'QE_REPORT_SIGNATURE_INVALID', (parts) => ({
      ...parts,
      qeReport: flipped(parts.qeReport, at),
    })),
  );
  const edits: [string, (parts: QuoteParts, made: Scene) => Buffer][] = [
    ['signature r changed', (parts) => flipped(parts.qeReportSignature, 0)],
    ['signature s changed', (parts) => flipped(parts.qeReportSignature, 63)],
    ['signature zero', () => Buffer.alloc(64)],
    ['signature by the attestation key', (parts, made) => made.attestationKey.sign(parts.qeReport)],
    ['signature by the CA', (parts, made) => made.sgx.pki.platform.key.sign(parts.qeReport)],
    [
      'signature by another machine',
      (parts, made) => made.sgx.platform({ name: 'another' }).pck.key.sign(parts.qeReport),
    ],
  ];
  return [
    ...changed,
    ...edits.map(([what, edit]) =>
      quoteCase(`qe-report/${what}`, kind, 'QE_REPORT_SIGNATURE_INVALID', (parts, made) => ({
        ...parts,
        qeReportSignature: edit(parts, made),
      })),
    ),
  ];
}

/** The report of the quoting enclave must bind the attestation key and the authentication data. */
function qeReportData(kind: Kind): BrokenCase[] {
  const sha256 = (...parts: Uint8Array[]): Buffer =>
    createHash('sha256').update(Buffer.concat(parts)).digest();
  const wrongHashes: [string, (parts: QuoteParts) => Buffer][] = [
    ['hash of the key alone', (parts) => sha256(parts.attestationKey)],
    [
      'hash with the point prefix',
      (parts) => sha256(Buffer.from([4]), parts.attestationKey, parts.qeAuthData),
    ],
    ['hash in the other order', (parts) => sha256(parts.qeAuthData, parts.attestationKey)],
    ['zero hash', () => Buffer.alloc(32)],
  ];
  const hashes = wrongHashes.map(([what, hash]) =>
    quoteCase(`qe-report-data/${what}`, kind, 'QE_REPORT_DATA_MISMATCH', (parts, made) =>
      resignQuote(
        { ...parts, qeReport: overwritten(parts.qeReport, 320, hash(parts)) },
        { pck: made.pckKey },
      ),
    ),
  );
  const authData: [string, (data: Buffer) => Buffer][] = [
    ['authentication data changed', (data) => flipped(data, 0)],
    ['authentication data longer', (data) => Buffer.concat([data, Buffer.alloc(1)])],
    ['authentication data shorter', (data) => data.subarray(0, -1)],
    ['authentication data absent', () => Buffer.alloc(0)],
  ];
  return [
    ...hashes,
    ...authData.map(([what, edit]) =>
      quoteCase(`qe-report-data/${what}`, kind, 'QE_REPORT_DATA_MISMATCH', (parts) => ({
        ...parts,
        qeAuthData: edit(parts.qeAuthData),
      })),
    ),
    ...[352, 383].map((at) =>
      quoteCase(`qe-report-data/tail not zero at ${at}`, kind, 'QE_REPORT_DATA_MISMATCH', (parts, made) =>
        resignQuote({ ...parts, qeReport: flipped(parts.qeReport, at) }, { pck: made.pckKey }),
      ),
    ),
    quoteCase('qe-report-data/another attestation key', kind, 'QE_REPORT_DATA_MISMATCH', (parts, made) =>
      resignQuote({ ...parts, attestationKey: made.strangerKey.point }, { attestation: made.strangerKey }),
    ),
    quoteCase('qe-report-data/attestation key changed', kind, 'QE_REPORT_DATA_MISMATCH', (parts) => ({
      ...parts,
      attestationKey: flipped(parts.attestationKey, 63),
    })),
  ];
}

/** An attestation key that is no point of the curve, correctly bound and certified. */
function impossibleKeys(kind: Kind): BrokenCase[] {
  const keys: [string, (key: Buffer) => Buffer][] = [
    ['off the curve', (key) => flipped(key, 63)],
    ['zero', () => Buffer.alloc(64)],
    ['beyond the field', () => Buffer.alloc(64, 0xff)],
    ['coordinates swapped', (key) => Buffer.concat([key.subarray(32), key.subarray(0, 32)])],
  ];
  return keys.map(([what, edit]) =>
    quoteCase(`attestation-key/${what}`, kind, 'ATTESTATION_KEY_INVALID', (parts, made) =>
      resignQuote(bindQeReport({ ...parts, attestationKey: edit(parts.attestationKey) }), {
        pck: made.pckKey,
      }),
    ),
  );
}

/** Everything that is wrong with the three signatures below the PCK certificate. */
export const QUOTE_SIGNATURE_CASES: BrokenCase[] = ALL_KINDS.flatMap((kind) => [
  ...changedFields(kind),
  ...badSignatures(kind),
  ...qeReportSignatures(kind),
  ...qeReportData(kind),
  ...impossibleKeys(kind),
]);
