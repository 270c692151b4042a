import { createHash, createPublicKey, verify } from 'node:crypto';
import { DEBUG_MEANING } from '../meaning/tcb-status.js';
import { bitNames, mustBeZero, readRows, row, SGX_FLAGS, type Row } from './byte-fields.js';
import type { Inspection, Remark } from './inspection.js';

/** SIGSTRUCT is 1808 bytes (Intel SDM vol. 3D, table "Layout of Enclave Signature Structure"). */
export const SIGSTRUCT_BYTES = 1808;
const HEADER = Buffer.from('06000000e10000000000010000000000', 'hex');
const HEADER2 = Buffer.from('01010000600000006000000001000000', 'hex');
const MODULUS = { at: 128, size: 384 };
const SIGNATURE = { at: 516, size: 384 };

const DEBUG_FLAG = 0x02;

const ROWS: readonly Row[] = [
  row(0, 16, 'HEADER'),
  row(16, 4, 'VENDOR', 'u32-hex', (b) => ({ 0: 'not Intel', 0x8086: 'Intel' })[b.readUInt32LE(0)]),
  row(20, 4, 'DATE', 'u32-hex', (b) =>
    b
      .readUInt32LE(0)
      .toString(16)
      .padStart(8, '0')
      .replace(/^(....)(..)(..)$/, '$1-$2-$3'),
  ),
  row(24, 16, 'HEADER2'),
  row(40, 4, 'SWDEFINED', 'u32-hex'),
  row(44, 84, 'reserved', 'hex', mustBeZero),
  row(MODULUS.at, MODULUS.size, 'MODULUS', 'hex', () => 'little-endian'),
  row(512, 4, 'EXPONENT', 'u32'),
  row(SIGNATURE.at, SIGNATURE.size, 'SIGNATURE', 'hex', () => 'little-endian'),
  row(900, 4, 'MISCSELECT', 'u32-hex'),
  row(904, 4, 'MISCMASK', 'u32-hex'),
  row(908, 1, 'CET_ATTRIBUTES'),
  row(909, 1, 'CET_ATTRIBUTES_MASK'),
  row(910, 2, 'reserved', 'hex', mustBeZero),
  row(912, 16, 'ISVFAMILYID'),
  row(928, 8, 'ATTRIBUTES.FLAGS', 'hex', (b) => bitNames(b, SGX_FLAGS)),
  row(936, 8, 'ATTRIBUTES.XFRM'),
  row(944, 8, 'ATTRIBUTEMASK.FLAGS', 'hex', (b) =>
    ((b[0] as number) & DEBUG_FLAG) === 0 ? 'the signer leaves DEBUG to the loader' : undefined,
  ),
  row(952, 8, 'ATTRIBUTEMASK.XFRM'),
  row(960, 32, 'ENCLAVEHASH', 'hex', () => 'this is MRENCLAVE'),
  row(992, 16, 'reserved', 'hex', mustBeZero),
  row(1008, 16, 'ISVEXTPRODID'),
  row(1024, 2, 'ISVPRODID', 'u16'),
  row(1026, 2, 'ISVSVN', 'u16'),
  row(1028, 12, 'reserved', 'hex', mustBeZero),
  row(1040, 384, 'Q1'),
  row(1424, 384, 'Q2'),
];

export function isSigstruct(file: Buffer): boolean {
  return (
    file.length === SIGSTRUCT_BYTES &&
    file.subarray(0, 16).equals(HEADER) &&
    file.subarray(24, 40).equals(HEADER2)
  );
}

/** What the structure says about the enclave that it signs. */
export interface SigstructIdentity {
  readonly mrenclave: string;
  /** SHA-256 of the modulus. */
  readonly mrsigner: string;
  readonly isvprodid: number;
  readonly isvsvn: number;
  readonly isvextprodid: string;
  readonly isvfamilyid: string;
  readonly debug: boolean;
  /** Whether the signature verifies with the key in the structure. */
  readonly signed: boolean;
}

/** @param file for which {@link isSigstruct} holds */
export function readSigstruct(file: Buffer): SigstructIdentity {
  const modulus = file.subarray(MODULUS.at, MODULUS.at + MODULUS.size);
  return {
    mrenclave: file.toString('hex', 960, 992),
    mrsigner: createHash('sha256').update(modulus).digest('hex'),
    isvprodid: file.readUInt16LE(1024),
    isvsvn: file.readUInt16LE(1026),
    isvextprodid: file.toString('hex', 1008, 1024),
    isvfamilyid: file.toString('hex', 912, 928),
    debug: (file.readUInt8(928) & DEBUG_FLAG) !== 0,
    signed: signatureVerifies(file),
  };
}

/** The enclave's signature structure, with the identity that a manifest would name. */
export function inspectSigstruct(file: Buffer): Inspection {
  const { mrenclave, mrsigner, isvprodid, isvsvn, debug, signed } = readSigstruct(file);
  const remarks: Remark[] = [];
  if (debug) remarks.push({ subject: 'debug', ...DEBUG_MEANING });
  if (!signed) {
    remarks.push({
      subject: 'signature',
      meaning:
        'The signature does not verify with the key in the structure: no processor starts this enclave.',
      action: 'Sign the enclave again.',
    });
  }
  return {
    kind: 'sigstruct',
    title: 'SIGSTRUCT (signature of an SGX enclave)',
    sections: [
      {
        title: 'Identity',
        fields: [
          { name: 'mrenclave', value: mrenclave },
          { name: 'mrsigner', value: mrsigner, note: 'SHA-256 of the modulus' },
          { name: 'isvprodid', value: isvprodid },
          { name: 'isvsvn', value: isvsvn },
          { name: 'signature verifies', value: signed },
        ],
      },
      { title: 'Structure', fields: readRows(file, ROWS, 0) },
    ],
    remarks,
  };
}

/** RSA-3072 with exponent 3, PKCS #1 v1.5, SHA-256, over bytes 0–127 and 900–1027. */
function signatureVerifies(file: Buffer): boolean {
  const bigEndian = ({ at, size }: { at: number; size: number }): Buffer =>
    Buffer.from(file.subarray(at, at + size)).reverse();
  try {
    const key = createPublicKey({
      key: { kty: 'RSA', n: bigEndian(MODULUS).toString('base64url'), e: 'Aw' },
      format: 'jwk',
    });
    const signed = Buffer.concat([file.subarray(0, 128), file.subarray(900, 1028)]);
    return verify('sha256', signed, key, bigEndian(SIGNATURE));
  } catch {
    // OpenSSL refuses a modulus that is no RSA key (even, zero): such a structure is signed by nobody.
    return false;
  }
}
