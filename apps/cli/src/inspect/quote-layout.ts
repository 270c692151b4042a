import { bitNames, mustBeZero, row, SGX_FLAGS, TD_ATTRIBUTES, zeroNote, type Row } from './byte-fields.js';

/** Header of a quote, 48 bytes (Intel SGX DCAP Quoting Library API, appendix A.3; TDX: A.4). */
export const HEADER: readonly Row[] = [
  row(0, 2, 'version', 'u16'),
  row(2, 2, 'attestation key type', 'u16', (b) => (b.readUInt16LE(0) === 2 ? 'ECDSA P-256' : undefined)),
  row(4, 4, 'TEE type', 'u32-hex', (b) => ({ 0: 'SGX', 0x81: 'TDX' })[b.readUInt32LE(0)]),
  row(8, 2, 'QE SVN', 'u16', () => 'not authenticated; version 3 only'),
  row(10, 2, 'PCE SVN', 'u16', () => 'not authenticated; version 3 only'),
  row(12, 16, 'QE vendor', 'hex', () => 'Intel'),
  row(28, 20, 'user data', 'hex', () => 'its first 16 bytes are the QE id'),
];

/** Body descriptor of a version 5 quote, between header and body. */
export const DESCRIPTOR: readonly Row[] = [
  row(0, 2, 'body type', 'u16', (b) => ({ 1: 'SGX', 2: 'TD 1.0', 3: 'TD 1.5' })[b.readUInt16LE(0)]),
  row(2, 4, 'body size', 'u32'),
];

const reportData = (at: number): Row =>
  row(at, 64, 'REPORTDATA', 'hex', (b) => {
    if (b.every((byte) => byte === 0)) return 'empty: it binds nothing';
    return b.subarray(32).every((byte) => byte === 0) ? 'as a rule a SHA-256 and 32 zero bytes' : undefined;
  });

/** SGX REPORT body, 384 bytes (Intel SDM vol. 3D, table "Layout of REPORT"). */
export const SGX_BODY: readonly Row[] = [
  row(0, 16, 'CPUSVN'),
  row(16, 4, 'MISCSELECT', 'u32-hex'),
  row(20, 12, 'reserved', 'hex', mustBeZero),
  row(32, 16, 'ISVEXTPRODID'),
  row(48, 8, 'ATTRIBUTES.FLAGS', 'hex', (b) => bitNames(b, SGX_FLAGS)),
  row(56, 8, 'ATTRIBUTES.XFRM'),
  row(64, 32, 'MRENCLAVE'),
  row(96, 32, 'reserved', 'hex', mustBeZero),
  row(128, 32, 'MRSIGNER', 'hex', zeroNote('the enclave is not signed by anyone')),
  row(160, 32, 'reserved', 'hex', mustBeZero),
  row(192, 64, 'CONFIGID'),
  row(256, 2, 'ISVPRODID', 'u16'),
  row(258, 2, 'ISVSVN', 'u16'),
  row(260, 2, 'CONFIGSVN', 'u16'),
  row(262, 42, 'reserved', 'hex', mustBeZero),
  row(304, 16, 'ISVFAMILYID'),
  reportData(320),
];

/** TD report body 1.0, 584 bytes; 1.5 adds two fields (Intel TDX DCAP Quoting Library API, appendix A.3). */
export const TD10_BODY: readonly Row[] = [
  row(0, 16, 'TEE_TCB_SVN', 'hex', (b) => `TDX module version ${b[1]}, SVN ${b[0]}`),
  row(16, 48, 'MRSEAM'),
  row(64, 48, 'MRSIGNERSEAM', 'hex', zeroNote('the TDX module is Intel’s')),
  row(112, 8, 'SEAMATTRIBUTES', 'hex', mustBeZero),
  row(120, 8, 'TDATTRIBUTES', 'hex', (b) => bitNames(b, TD_ATTRIBUTES)),
  row(128, 8, 'XFAM'),
  row(136, 48, 'MRTD'),
  row(184, 48, 'MRCONFIGID'),
  row(232, 48, 'MROWNER'),
  row(280, 48, 'MROWNERCONFIG'),
  row(328, 48, 'RTMR0'),
  row(376, 48, 'RTMR1'),
  row(424, 48, 'RTMR2'),
  row(472, 48, 'RTMR3'),
  reportData(520),
];
export const TD15_BODY: readonly Row[] = [
  ...TD10_BODY,
  row(584, 16, 'TEE_TCB_SVN2', 'hex', (b) => `running now: TDX module version ${b[1]}, SVN ${b[0]}`),
  row(600, 48, 'MRSERVICETD', 'hex', zeroNote('no service TD is bound')),
];
