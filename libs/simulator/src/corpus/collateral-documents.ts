import type { DcapErrorCode } from '#dcap';
import { signatureToDer } from '../p256-key.js';
import type { SimulatedBundle } from '../collateral.js';
import { SimulatedSgx } from '../simulated-sgx.js';
import {
  ALL_KINDS,
  bundleCase,
  collateralCase,
  flipped,
  requestCase,
  valid,
  type BrokenCase,
  type Evidence,
  type Kind,
  type Scene,
} from './evidence.js';

interface SignedSlot {
  name: string;
  text: 'tcb_info' | 'qe_identity';
  signature: 'tcb_info_signature' | 'qe_identity_signature';
  key: 'tcbInfoKey' | 'qeIdentityKey';
  code: DcapErrorCode;
}
const SLOTS: SignedSlot[] = [
  {
    name: 'TCB info',
    text: 'tcb_info',
    signature: 'tcb_info_signature',
    key: 'tcbInfoKey',
    code: 'TCB_INFO_SIGNATURE_INVALID',
  },
  {
    name: 'QE identity',
    text: 'qe_identity',
    signature: 'qe_identity_signature',
    key: 'qeIdentityKey',
    code: 'QE_IDENTITY_SIGNATURE_INVALID',
  },
];

/** The signature must be over the bytes as they are, by the key of the signer. */
function signatures(slot: SignedSlot, kind: Kind): BrokenCase[] {
  const sig = (hex: string): Buffer => Buffer.from(hex, 'hex');
  const changed = (
    name: string,
    edit: (signature: Buffer, made: Scene, bundle: SimulatedBundle) => Buffer,
  ): BrokenCase =>
    bundleCase(
      `signed-document/${slot.name}: ${name}`,
      slot.code,
      (bundle, made) => ({
        ...bundle,
        [slot.signature]: edit(sig(bundle[slot.signature]), made, bundle).toString('hex'),
      }),
      kind,
    );
  const text = (name: string, edit: (text: string) => string): BrokenCase =>
    bundleCase(
      `signed-document/${slot.name}: ${name}`,
      slot.code,
      (bundle) => ({ ...bundle, [slot.text]: edit(bundle[slot.text]) }),
      kind,
    );
  const other = SLOTS.find((each) => each !== slot) as SignedSlot;
  return [
    changed('r changed', (signature) => flipped(signature, 0)),
    changed('s changed', (signature) => flipped(signature, 63)),
    changed('signature zero', () => Buffer.alloc(64)),
    changed('signature a byte short', (signature) => signature.subarray(0, 63)),
    changed('signature a byte long', (signature) => Buffer.concat([signature, Buffer.alloc(1)])),
    changed('signature empty', () => Buffer.alloc(0)),
    changed('signature in DER', (signature) => signatureToDer(signature)),
    changed('signature by a stranger', (_, made, bundle) =>
      made.strangerKey.signDeterministic(Buffer.from(bundle[slot.text])),
    ),
    changed('signature of the other document', (_, __, bundle) => sig(bundle[other.signature])),
    changed('signature of the envelope', (_, made, bundle) =>
      made.sgx.pki.tcbSigner.key.signDeterministic(Buffer.from(`{"tcbInfo":${bundle[slot.text]}}`)),
    ),
    text('a space more', (each) => each.replace(',', ', ')),
    text('a line end after it', (each) => `${each}\n`),
    text('serialised with indentation', (each) => JSON.stringify(JSON.parse(each), null, 2)),
    text('keys in another order', (each) =>
      JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(each) as object).reverse())),
    ),
    text('a status improved', (each) => each.replace('"OutOfDate"', '"UpToDate"')),
    text('an SVN lowered', (each) => each.replace(/"(svn|isvsvn)":\d+/, '"$1":0')),
    text('nextUpdate moved', (each) => each.replace(/"nextUpdate":"20\d\d/, '"nextUpdate":"2049')),
    text('an escape for a character', (each) => each.replace('"version"', '"\\u0076ersion"')),
    text('the other document', () => '{}'),
    ...(['root', 'platform'] as const).map((who) =>
      collateralCase(
        `signed-document/${slot.name}: signed by the ${who} CA`,
        slot.code,
        (made) => ({ [slot.key]: made.sgx.pki[who].key }),
        kind,
      ),
    ),
  ];
}

const DAY = 86_400_000;
const after = (made: Scene, days: number): Date => new Date(made.sgx.now().getTime() + days * DAY);
const iso = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, 'Z');

/** Times of the documents. */
const times: BrokenCase[] = ALL_KINDS.flatMap((kind) => [
  ...(
    [
      ['TCB info', 'editTcbInfo', 'TCB_INFO'],
      ['QE identity', 'editQeIdentity', 'QE_IDENTITY'],
    ] as const
  ).flatMap(([name, edit, code]) => [
    ...[-1 / 86_400, -1, -730].map((days) =>
      collateralCase(
        `time/${name} expired ${days === -730 ? 'two years' : days === -1 ? 'a day' : 'a second'} ago`,
        `${code}_EXPIRED`,
        (made) => ({ [edit]: (document: object) => ({ ...document, nextUpdate: iso(after(made, days)) }) }),
        kind,
      ),
    ),
    ...[1 / 86_400, 1].map((days) =>
      collateralCase(
        `time/${name} of ${days === 1 ? 'tomorrow' : 'the next second'}`,
        `${code}_NOT_YET_VALID`,
        (made) => ({ [edit]: (document: object) => ({ ...document, issueDate: iso(after(made, days)) }) }),
        kind,
      ),
    ),
  ]),
  ...([20, 2000] as const).flatMap((minimum) => [
    requestCase(
      `time/evaluation number of the TCB info below ${minimum}`,
      kind,
      'TCB_EVALUATION_TOO_OLD',
      {
        collateral: { tcbEvaluationDataNumber: minimum - 1, qeEvaluationDataNumber: minimum },
        settings: { minTcbEvaluationDataNumber: minimum },
      },
      { collateral: { tcbEvaluationDataNumber: minimum }, settings: { minTcbEvaluationDataNumber: minimum } },
    ),
    requestCase(
      `time/evaluation number of the QE identity below ${minimum}`,
      kind,
      'TCB_EVALUATION_TOO_OLD',
      {
        collateral: { tcbEvaluationDataNumber: minimum, qeEvaluationDataNumber: minimum - 1 },
        settings: { minTcbEvaluationDataNumber: minimum },
      },
      { collateral: { tcbEvaluationDataNumber: minimum }, settings: { minTcbEvaluationDataNumber: minimum } },
    ),
  ]),
]);

/** The clock and the grace; what lies beyond the grace stays refused, and certificates and CRLs have their own rules. */
const clock: BrokenCase[] = (['sgx-v3', 'tdx-v4'] as const).flatMap((kind) => {
  const atDay =
    (days: number, graceDays: number) =>
    (sgx: SimulatedSgx): Evidence => {
      const good = valid(sgx, kind);
      return {
        ...good,
        at: new Date(sgx.now().getTime() + days * DAY),
        settings: { graceSeconds: graceDays * 86_400 },
      };
    };
  const moved = (
    name: string,
    code: DcapErrorCode,
    days: number,
    graceDays: number,
    twinDays: number,
  ): BrokenCase => ({
    name: `clock/${name}/${kind}`,
    expectedCode: code,
    make: atDay(days, graceDays),
    twin: atDay(twinDays, graceDays),
  });
  return [
    {
      name: `clock/no time/${kind}`,
      expectedCode: 'CLOCK_INVALID' as const,
      make: (sgx: SimulatedSgx) => ({ ...valid(sgx, kind), at: new Date(NaN) }),
      twin: (sgx: SimulatedSgx) => valid(sgx, kind),
    },
    moved('everything expired in 31 days', 'CRL_EXPIRED', 31, 0, 29),
    moved('beyond a grace of 7 days', 'CRL_EXPIRED', 38, 7, 36),
    moved('before everything was issued', 'CRL_NOT_YET_VALID', -1, 0, 0),
    moved('a grace does not make certificates live longer', 'CERT_EXPIRED', 365 * 30, 366, 200),
  ];
});

/** The bundle as a container. */
const FIELDS = [
  'tcb_info',
  'tcb_info_signature',
  'tcb_info_issuer_chain',
  'qe_identity',
  'qe_identity_signature',
  'qe_identity_issuer_chain',
] as const;
const containers: BrokenCase[] = [
  ...FIELDS.flatMap((field) => [
    bundleCase(`bundle/${field} absent`, 'COLLATERAL_INVALID', (bundle) =>
      Object.fromEntries(Object.entries(bundle).filter(([name]) => name !== field)),
    ),
    bundleCase(`bundle/${field} inherited`, 'COLLATERAL_INVALID', ({ [field]: value, ...rest }) =>
      Object.assign(Object.create({ [field]: value }) as object, rest),
    ),
  ]),
  ...[...FIELDS, 'root_ca_crl' as const, 'pck_crl' as const, 'pck_crl_issuer_chain' as const].flatMap(
    (field) => [
      bundleCase(`bundle/${field} a number`, 'COLLATERAL_INVALID', (bundle) => ({ ...bundle, [field]: 5 })),
      bundleCase(`bundle/${field} a list`, 'COLLATERAL_INVALID', (bundle) => ({
        ...bundle,
        [field]: [bundle[field]],
      })),
      bundleCase(`bundle/${field} of three million characters`, 'COLLATERAL_TOO_LARGE', (bundle) => ({
        ...bundle,
        [field]: 'a'.repeat(3_000_000),
      })),
    ],
  ),
  ...(['tcb_info_signature', 'qe_identity_signature'] as const).flatMap((field) => [
    bundleCase(`bundle/${field} not hex`, 'COLLATERAL_INVALID', (bundle) => ({
      ...bundle,
      [field]: `zz${bundle[field].slice(2)}`,
    })),
    bundleCase(`bundle/${field} an odd number of digits`, 'COLLATERAL_INVALID', (bundle) => ({
      ...bundle,
      [field]: bundle[field].slice(1),
    })),
    bundleCase(`bundle/${field} with a space`, 'COLLATERAL_INVALID', (bundle) => ({
      ...bundle,
      [field]: ` ${bundle[field].slice(1)}`,
    })),
  ]),
  bundleCase('bundle/a list', 'COLLATERAL_INVALID', () => []),
  bundleCase('bundle/nothing', 'COLLATERAL_INVALID', () => null as unknown as object),
];

/** Roots that nobody pinned. */
const roots: BrokenCase[] = ALL_KINDS.flatMap((kind) => [
  requestCase('trust/simulated evidence where only Intel is pinned', kind, 'ROOT_NOT_TRUSTED', {
    settings: { withoutSimulatedRoot: true },
  }),
  {
    name: `trust/quote and collateral of another PKI/${kind}`,
    expectedCode: 'ROOT_NOT_TRUSTED' as const,
    make: (sgx: SimulatedSgx) => valid(SimulatedSgx.create({ seed: 'another PKI', now: sgx.now() }), kind),
    twin: (sgx: SimulatedSgx) => valid(sgx, kind),
  },
  {
    name: `trust/collateral of another PKI/${kind}`,
    expectedCode: 'ROOT_NOT_TRUSTED' as const,
    make: (sgx: SimulatedSgx) => ({
      ...valid(sgx, kind),
      bundle: valid(SimulatedSgx.create({ seed: 'another PKI', now: sgx.now() }), kind).bundle,
    }),
    twin: (sgx: SimulatedSgx) => valid(sgx, kind),
  },
]);

export const COLLATERAL_DOCUMENT_CASES: BrokenCase[] = [
  ...(['sgx-v3', 'td15-v5'] as const).flatMap((kind) => SLOTS.flatMap((slot) => signatures(slot, kind))),
  ...times,
  ...clock,
  ...containers,
  ...roots,
];
