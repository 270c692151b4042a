import type { DcapErrorCode } from '#dcap';
import type { CollateralOptions } from '../collateral.js';
import { defaultTcbLevels, type JsonObject } from '../tcb-documents.js';
import { collateralCase, requestCase, type BrokenCase, type Kind } from './evidence.js';
import {
  withMember,
  withRepeatedKey,
  WRONG_TEXTS,
  wrongValues,
  type FieldKind,
  type JsonPath,
} from './json-faults.js';

/** One kind of signed document, in the collateral of one kind of quote. */
interface DocumentSlot {
  name: string;
  kind: Kind;
  code: DcapErrorCode;
  collateral?: CollateralOptions;
  edit: 'editTcbInfo' | 'editQeIdentity';
  editText: 'editTcbInfoText' | 'editQeIdentityText';
  fields: [JsonPath, FieldKind][];
  keys: string[];
}

const integer = (max: number): FieldKind => ({ type: 'integer', max });
const hex = (bytes: number): FieldKind => ({ type: 'hex', bytes });
const date: FieldKind = { type: 'date' };
const list: FieldKind = { type: 'list' };
const object: FieldKind = { type: 'object' };

const level: JsonPath = ['tcbLevels', 1];
const tcbCommon: [JsonPath, FieldKind][] = [
  [['version'], integer(0xffff)],
  [['issueDate'], date],
  [['nextUpdate'], date],
  [['fmspc'], hex(6)],
  [['pceId'], hex(2)],
  [['tcbType'], integer(0)],
  [['tcbEvaluationDataNumber'], integer(2 ** 31 - 1)],
  [['tcbLevels'], list],
  [level, object],
  [[...level, 'tcb'], object],
  [[...level, 'tcb', 'pcesvn'], integer(0xffff)],
  [[...level, 'tcbDate'], date],
];
const components = (name: string): [JsonPath, FieldKind][] => [
  [[...level, 'tcb', name], list],
  [[...level, 'tcb', name, 7], object],
  [[...level, 'tcb', name, 7, 'svn'], integer(255)],
];
const isvLevel = (path: JsonPath, max: number): [JsonPath, FieldKind][] => [
  [path, object],
  [[...path, 'tcb'], object],
  [[...path, 'tcb', 'isvsvn'], integer(max)],
  [[...path, 'tcbDate'], date],
];
const moduleIdentity: JsonPath = ['tdxModuleIdentities', 0];
const moduleFields = (path: JsonPath): [JsonPath, FieldKind][] => [
  [path, object],
  [[...path, 'mrsigner'], hex(48)],
  [[...path, 'attributes'], hex(8)],
  [[...path, 'attributesMask'], hex(8)],
];

const TCB = { code: 'TCB_INFO_INVALID', edit: 'editTcbInfo', editText: 'editTcbInfoText' } as const;
const QE = { code: 'QE_IDENTITY_INVALID', edit: 'editQeIdentity', editText: 'editQeIdentityText' } as const;
const qeFields: [JsonPath, FieldKind][] = [
  [['id'], { type: 'text' }],
  [['version'], integer(0xffff)],
  [['issueDate'], date],
  [['nextUpdate'], date],
  [['tcbEvaluationDataNumber'], integer(2 ** 31 - 1)],
  [['miscselect'], hex(4)],
  [['miscselectMask'], hex(4)],
  [['attributes'], hex(16)],
  [['attributesMask'], hex(16)],
  [['mrsigner'], hex(32)],
  [['isvprodid'], integer(0xffff)],
  [['tcbLevels'], list],
  ...isvLevel(['tcbLevels', 1], 0xffff),
];
const tcbKeys = [
  'version',
  'issueDate',
  'nextUpdate',
  'fmspc',
  'pceId',
  'tcbType',
  'tcbEvaluationDataNumber',
  'tcbLevels',
  'tcb',
  'pcesvn',
  'tcbDate',
  'tcbStatus',
];
const qeKeys = [
  'id',
  'version',
  'issueDate',
  'nextUpdate',
  'miscselect',
  'attributesMask',
  'mrsigner',
  'isvprodid',
  'tcbLevels',
  'isvsvn',
  'tcbStatus',
];

const SLOTS: DocumentSlot[] = [
  {
    ...TCB,
    name: 'TCB info v3',
    kind: 'sgx-v3',
    fields: [[['id'], { type: 'text' }], ...tcbCommon, ...components('sgxtcbcomponents')],
    keys: ['id', ...tcbKeys, 'sgxtcbcomponents', 'svn'],
  },
  {
    ...TCB,
    name: 'TCB info v3',
    kind: 'td15-v5',
    fields: [
      [['id'], { type: 'text' }],
      ...tcbCommon,
      ...components('sgxtcbcomponents'),
      ...components('tdxtcbcomponents'),
      ...moduleFields(['tdxModule']),
      ...moduleFields(moduleIdentity),
      [[...moduleIdentity, 'id'], { type: 'text' }],
      [[...moduleIdentity, 'tcbLevels'], list],
      ...isvLevel([...moduleIdentity, 'tcbLevels', 1], 255),
    ],
    keys: ['id', ...tcbKeys, 'tdxModule', 'tdxModuleIdentities', 'mrsigner', 'tdxtcbcomponents', 'isvsvn'],
  },
  {
    ...TCB,
    name: 'TCB info v2',
    kind: 'sgx-v3',
    collateral: { tcbInfoVersion: 2 },
    fields: [
      ...tcbCommon,
      [[...level, 'tcb', 'sgxtcbcomp01svn'], integer(255)],
      [[...level, 'tcb', 'sgxtcbcomp16svn'], integer(255)],
    ],
    keys: [...tcbKeys, 'sgxtcbcomp01svn', 'sgxtcbcomp16svn'],
  },
  { ...QE, name: 'QE identity', kind: 'sgx-v3', fields: qeFields, keys: qeKeys },
  { ...QE, name: 'QE identity', kind: 'tdx-v4', fields: qeFields, keys: qeKeys },
];

/** Both the TCB info of v2 and the documents of v3 go through the same quotes; the twin has the same version. */
function documentCase(
  slot: DocumentSlot,
  name: string,
  code: DcapErrorCode,
  changes: CollateralOptions,
): BrokenCase {
  return requestCase(
    `${slot.name}/${name}`,
    slot.kind,
    code,
    { collateral: { ...slot.collateral, ...changes } },
    slot.collateral === undefined ? {} : { collateral: slot.collateral },
  );
}

const versionCode = (slot: DocumentSlot): DcapErrorCode =>
  slot.edit === 'editTcbInfo' ? 'TCB_INFO_VERSION_UNSUPPORTED' : 'QE_IDENTITY_VERSION_UNSUPPORTED';

function slotCases(slot: DocumentSlot): BrokenCase[] {
  const edited = (
    name: string,
    code: DcapErrorCode,
    edit: (document: JsonObject) => JsonObject,
  ): BrokenCase => documentCase(slot, name, code, { [slot.edit]: edit });
  const fields = slot.fields.flatMap(([path, kind]) =>
    wrongValues(kind).map(([what, value]) =>
      edited(`${path.join('.')} ${what}`, slot.code, (document) => withMember(document, path, value)),
    ),
  );
  const repeated = slot.keys.map((key) =>
    documentCase(slot, `"${key}" twice`, slot.code, {
      [slot.editText]: (text: string) => withRepeatedKey(text, key),
    }),
  );
  const texts = WRONG_TEXTS.map(([what, edit]) =>
    documentCase(slot, what, slot.code, { [slot.editText]: edit }),
  );
  const statuses = ['Unknown', 'uptodate', '', 'UpToDate ', 'TDRelaunchAdvised', 'toString'].map((status) =>
    edited(`status "${status}" on an unused level`, 'TCB_STATUS_UNKNOWN', (document) =>
      withMember(document, ['tcbLevels', 2, 'tcbStatus'], status),
    ),
  );
  const badStatuses = [undefined, null, 5].map((status) =>
    edited(`status ${String(status)}`, slot.code, (document) =>
      withMember(document, ['tcbLevels', 2, 'tcbStatus'], status),
    ),
  );
  const advisories = [null, 'INTEL-SA-00001', {}, [5], [null], [['x']]].map((value) =>
    edited(`advisoryIDs ${JSON.stringify(value)}`, slot.code, (document) =>
      withMember(document, ['tcbLevels', 1, 'advisoryIDs'], value),
    ),
  );
  return [
    ...fields,
    ...repeated,
    ...texts,
    ...statuses,
    ...badStatuses,
    ...advisories,
    edited('tcbLevels empty', slot.code, (document) => ({ ...document, tcbLevels: [] })),
    edited('a level twice', slot.code, (document) => {
      const levels = document['tcbLevels'] as unknown[];
      return { ...document, tcbLevels: [...levels, { ...(levels[1] as object), tcbStatus: 'UpToDate' }] };
    }),
    ...[0, 1, 4, 65_535].map((version) =>
      edited(`version ${version}`, versionCode(slot), (document) => ({ ...document, version })),
    ),
  ];
}

/** Rules that hold for the TCB info of one TEE only. */
const tcbInfoRules: BrokenCase[] = (['sgx-v3', 'td15-v5'] as const).flatMap((kind) => {
  const slot = SLOTS.find((each) => each.kind === kind && each.edit === 'editTcbInfo') as DocumentSlot;
  const edited = (
    name: string,
    code: DcapErrorCode,
    edit: (document: JsonObject) => JsonObject,
  ): BrokenCase => documentCase(slot, name, code, { editTcbInfo: edit });
  const names = kind === 'sgx-v3' ? ['sgxtcbcomponents'] : ['sgxtcbcomponents', 'tdxtcbcomponents'];
  const svns = (count: number): object[] => Array.from({ length: count }, () => ({ svn: 1 }));
  return [
    ...['QE', 'sgx', 'SGX ', 'TDX_01', ''].map((id) =>
      edited(`id "${id}"`, 'TCB_INFO_INVALID', (document) => ({ ...document, id })),
    ),
    ...[1, 255].map((tcbType) =>
      edited(`tcbType ${tcbType}`, 'TCB_INFO_INVALID', (document) => ({ ...document, tcbType })),
    ),
    ...names.flatMap((name) =>
      [0, 1, 15, 17, 32].map((count) =>
        edited(`${count} ${name}`, 'TCB_INFO_INVALID', (document) =>
          withMember(document, [...level, 'tcb', name], svns(count)),
        ),
      ),
    ),
  ];
});

const teeRules: BrokenCase[] = [
  documentCase(SLOTS[0] as DocumentSlot, 'a TDX module in SGX', 'TCB_INFO_INVALID', {
    editTcbInfo: (document) => ({
      ...document,
      tdxModule: { mrsigner: '00'.repeat(48), attributes: '00'.repeat(8), attributesMask: 'FF'.repeat(8) },
    }),
  }),
  documentCase(SLOTS[0] as DocumentSlot, 'TDX module identities in SGX', 'TCB_INFO_INVALID', {
    editTcbInfo: (document) => ({ ...document, tdxModuleIdentities: [] }),
  }),
  documentCase(SLOTS[1] as DocumentSlot, 'no TDX module in TDX', 'TCB_INFO_INVALID', {
    editTcbInfo: ({ tdxModule: _, ...document }) => document,
  }),
  documentCase(SLOTS[1] as DocumentSlot, 'a TDX module identity twice', 'TCB_INFO_INVALID', {
    editTcbInfo: (document) => {
      const identities = document['tdxModuleIdentities'] as object[];
      return { ...document, tdxModuleIdentities: [...identities, ...identities] };
    },
  }),
  documentCase(SLOTS[1] as DocumentSlot, 'a TDX module identity without levels', 'TCB_INFO_INVALID', {
    editTcbInfo: (document) => withMember(document, [...moduleIdentity, 'tcbLevels'], []),
  }),
  documentCase(SLOTS[1] as DocumentSlot, 'a level of TDX without TDX components', 'TCB_INFO_INVALID', {
    tcbLevels: defaultTcbLevels('sgx'),
  }),
];

/** The documents of other TEEs, machines and enclaves; authentic, but not about this quote. */
const matches: BrokenCase[] = (
  ['sgx-v3', 'sgx-v4', 'sgx-v5', 'tdx-v4', 'td10-v5', 'td15-v5'] as const
).flatMap((kind) => {
  const other = kind.startsWith('sgx') ? 'tdx' : 'sgx';
  return [
    collateralCase('match/collateral of the other TEE', 'TCB_INFO_TEE_MISMATCH', { tee: other }, kind),
    collateralCase('match/another FMSPC', 'FMSPC_MISMATCH', { fmspc: '00606a000001' }, kind),
    collateralCase('match/FMSPC of zeros', 'FMSPC_MISMATCH', { fmspc: '000000000000' }, kind),
    collateralCase('match/another PCE id', 'PCE_ID_MISMATCH', { pceId: '0001' }, kind),
    collateralCase('match/PCE id in the other byte order', 'PCE_ID_MISMATCH', { pceId: '0100' }, kind),
    ...[other === 'tdx' ? 'TD_QE' : 'QE', 'QVE', 'QAE'].map((id) =>
      collateralCase(
        `match/identity of ${id}`,
        'QE_IDENTITY_MISMATCH',
        { editQeIdentity: (document) => ({ ...document, id }) },
        kind,
      ),
    ),
    collateralCase(
      'match/identity that names no enclave',
      'QE_IDENTITY_INVALID',
      { editQeIdentity: (document) => ({ ...document, id: 'QE2' }) },
      kind,
    ),
  ];
});

export const TCB_DOCUMENT_CASES: BrokenCase[] = [
  ...SLOTS.flatMap(slotCases),
  ...tcbInfoRules,
  ...teeRules,
  ...matches,
];
