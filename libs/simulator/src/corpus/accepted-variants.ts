import type { TcbStatus } from '#dcap';
import { chainPem } from '../collateral.js';
import { reissue } from '../certificate.js';
import { mirrorSignature } from '../p256-key.js';
import { assembleQuote, bindQeReport, resignQuote, type QuoteParts } from '../quote-parts.js';
import { sgxAttributes } from '../report-bodies.js';
import type { SimulatedSgx } from '../simulated-sgx.js';
import { defaultTcbLevels, type JsonObject } from '../tcb-documents.js';
import {
  ALL_KINDS,
  chainBytes,
  editedQuote,
  flipped,
  pckChainOf,
  scene,
  TDX_KINDS,
  valid,
  type Evidence,
  type Kind,
  type PckChain,
  type Scene,
  type ValidOptions,
} from './evidence.js';
import { requestOf } from './evidence.js';
import { openEnclaveEvidence } from './pck-lookup.js';

/** One form of valid evidence, and the status that it has. */
export interface AcceptedVariant {
  name: string;
  expectedStatus: TcbStatus;
  make(sgx: SimulatedSgx): Evidence;
}

function accepted(
  name: string,
  kind: Kind,
  options: ValidOptions,
  expectedStatus: TcbStatus = 'UpToDate',
): AcceptedVariant {
  return { name: `accepted/${name}/${kind}`, expectedStatus, make: (sgx) => valid(sgx, kind, options) };
}

function edited(
  name: string,
  kind: Kind,
  edit: (parts: QuoteParts, made: Scene) => QuoteParts | Buffer,
): AcceptedVariant {
  return {
    name: `accepted/${name}/${kind}`,
    expectedStatus: 'UpToDate',
    make: (sgx) => ({ ...valid(sgx, kind), quote: editedQuote(sgx, kind, edit) }),
  };
}

const ORDERS: (keyof PckChain)[][] = [
  ['leaf', 'root', 'intermediate'],
  ['intermediate', 'leaf', 'root'],
  ['intermediate', 'root', 'leaf'],
  ['root', 'leaf', 'intermediate'],
  ['root', 'intermediate', 'leaf'],
];

const quotes: AcceptedVariant[] = ALL_KINDS.flatMap((kind) => [
  accepted('as it is', kind, {}),
  accepted('a fresh attestation key', kind, { request: { attestationKey: 'fresh' } }),
  accepted('reproducible signatures', kind, { request: { deterministic: true } }),
  accepted('a PCK of the Processor CA', kind, { platform: { ca: 'processor' } }),
  accepted('no authentication data', kind, { platform: { qeAuthData: '' } }),
  accepted('authentication data of 1,000 bytes', kind, { platform: { qeAuthData: 'ab'.repeat(1000) } }),
  accepted('a PCE SVN of three DER bytes', kind, { platform: { pceSvn: 40_887 } }),
  accepted('all SVNs at their maximum', kind, { platform: { components: Array<number>(16).fill(255) } }),
  accepted('a CPUSVN that differs from the components', kind, {
    platform: { components: Array<number>(16).fill(255), cpuSvn: '01'.repeat(16) },
  }),
  accepted('FMSPC in upper case', kind, {
    platform: { fmspc: '90C06F000000' },
    collateral: { fmspc: '90C06F000000' },
  }),
  accepted('FMSPC in lower case', kind, {
    platform: { fmspc: '90C06F000000' },
    collateral: { fmspc: '90c06f000000' },
  }),
  accepted('another PCE', kind, { platform: { pceId: '0a0b' }, collateral: { pceId: '0A0B' } }),
  accepted('unequal evaluation numbers', kind, {
    collateral: { tcbEvaluationDataNumber: 20, qeEvaluationDataNumber: 19 },
  }),
  accepted('levels in reverse order', kind, {
    collateral: { tcbLevels: defaultTcbLevels(kind.startsWith('sgx') ? 'sgx' : 'tdx').reverse() },
  }),
  accepted('a debug enclave: policy decides', kind, { request: { debug: true } }),
  accepted('unknown members in the documents', kind, {
    collateral: {
      editTcbInfo: (document: JsonObject) => ({ ...document, comment: { deep: [1, 2, { x: null }] } }),
      editQeIdentity: (document: JsonObject) => ({ ...document, comment: 'x' }),
    },
  }),
  accepted('QE with other XFRM', kind, { request: { qeReport: { attributes: sgxAttributes(0x15, 0x03) } } }),
  accepted('QE of a higher SVN', kind, { platform: { qeSvn: 200 } }),
  accepted('others on the revocation lists', kind, {
    collateral: {
      revokedPcks: [Buffer.from('00ff', 'hex'), Buffer.alloc(20, 0x7e)],
      revokedByRoot: [Buffer.alloc(20, 0x7d)],
    },
  }),
  edited('quote signature with the other s', kind, (parts) => ({
    ...parts,
    signature: mirrorSignature(parts.signature),
  })),
  edited('QE report signature with the other s', kind, (parts) => ({
    ...parts,
    qeReportSignature: mirrorSignature(parts.qeReportSignature),
  })),
  edited('zero padding', kind, (parts) => Buffer.concat([assembleQuote(parts), Buffer.alloc(70)])),
  edited('a chain without the NUL', kind, (parts, made) => ({
    ...parts,
    certificationData: chainBytes(Object.values(pckChainOf(made))),
  })),
  edited('a chain without the last line end', kind, (parts, made) => ({
    ...parts,
    certificationData: Buffer.from(made.platform.chainPem.trimEnd()),
  })),
  edited('a chain with CRLF', kind, (parts, made) => ({
    ...parts,
    certificationData: Buffer.from(made.platform.chainPem.replaceAll('\n', '\r\n')),
  })),
  edited('the root in another certificate for its key', kind, (parts, made) => {
    const chain = pckChainOf(made);
    const root = reissue(chain.root, { notAfter: new Date('2033-05-21T10:45:10Z') });
    return { ...parts, certificationData: chainBytes([chain.leaf, chain.intermediate, root]) };
  }),
  ...ORDERS.map((order) =>
    edited(`chain ordered ${order.join(', ')}`, kind, (parts, made) => {
      const chain = pckChainOf(made);
      return { ...parts, certificationData: chainBytes(order.map((which) => chain[which])) };
    }),
  ),
  edited('another attestation key, certified', kind, (parts, made) =>
    resignQuote(bindQeReport({ ...parts, attestationKey: made.strangerKey.point }), {
      pck: made.pckKey,
      attestation: made.strangerKey,
    }),
  ),
]);

const sgxOnly: AcceptedVariant[] = (['sgx-v3', 'sgx-v4', 'sgx-v5'] as const).flatMap((kind) => [
  accepted('a report CPUSVN lower than the PCK’s', kind, { request: { cpuSvn: '00'.repeat(16) } }),
  accepted('TCB info of version 2', kind, { collateral: { tcbInfoVersion: 2 } }),
  accepted(
    'TCB info of version 2, outdated platform',
    kind,
    { platform: { tcbStatus: 'OutOfDate' }, collateral: { tcbInfoVersion: 2 } },
    'OutOfDate',
  ),
  edited('behind an Open Enclave header', kind, (parts) => {
    const quote = assembleQuote(parts);
    return openEnclaveEvidence(quote, quote.length);
  }),
]);

const tdxOnly: AcceptedVariant[] = TDX_KINDS.flatMap((kind) => [
  accepted('a module without a version', kind, { platform: { moduleMajor: 0 } }),
  accepted('a module of major version 3', kind, { platform: { moduleMajor: 3 } }),
  accepted('first TDX components that count only for modules without a version', kind, {
    collateral: {
      tcbLevels: defaultTcbLevels('tdx').map((level) => ({
        ...level,
        tdx: [200, 200, ...(level.tdx ?? []).slice(2)],
      })),
    },
  }),
  accepted('a module of a higher SVN', kind, {
    request: {
      teeTcbSvn: '20011000000000000000000000000000',
      ...(kind === 'td15-v5' ? { teeTcbSvn2: '20011000000000000000000000000000' } : {}),
    },
  }),
  accepted('debug and other attributes: policy decides', kind, {
    request: { tdAttributes: '0100004000000080' },
  }),
  accepted('module identities in lower case', kind, {
    collateral: {
      editTcbInfo: (document: JsonObject) => ({
        ...document,
        tdxModuleIdentities: (document['tdxModuleIdentities'] as { id: string }[]).map((each) => ({
          ...each,
          id: each.id.toLowerCase(),
        })),
      }),
    },
  }),
]);

/** The level that applies is the first that the platform reaches, whatever stands below it. */
const levels: AcceptedVariant[] = [
  accepted(
    'relaunch after an update of the module',
    'td15-v5',
    {
      platform: { moduleStatus: 'OutOfDate' },
      request: { teeTcbSvn2: '05011000000000000000000000000000' },
    },
    'TDRelaunchAdvised',
  ),
  accepted('a running module without a level', 'td15-v5', {
    request: { teeTcbSvn2: '05010900000000000000000000000000' },
  }),
  accepted(
    'only the PCE SVN is too low for the best level',
    'sgx-v3',
    {
      platform: { components: Array<number>(16).fill(255), pceSvn: 10 },
      collateral: {
        tcbLevels: [13, 9].map((pceSvn, index) => ({
          sgx: Array<number>(16).fill(3),
          pceSvn,
          status: index === 0 ? 'UpToDate' : 'OutOfDate',
          tcbDate: '2024-01-01T00:00:00Z',
        })),
      },
    },
    'OutOfDate',
  ),
  accepted(
    'a level with a higher first and lower second component',
    'sgx-v3',
    {
      platform: { components: [6, 5, ...Array<number>(14).fill(5)], pceSvn: 10 },
      collateral: {
        tcbLevels: [
          {
            sgx: [6, 9, ...Array<number>(14).fill(5)],
            pceSvn: 10,
            status: 'UpToDate',
            tcbDate: '2024-01-01T00:00:00Z',
          },
          {
            sgx: Array<number>(16).fill(5),
            pceSvn: 10,
            status: 'SWHardeningNeeded',
            tcbDate: '2024-01-01T00:00:00Z',
          },
        ],
      },
    },
    'SWHardeningNeeded',
  ),
  ...(['sgx-v3', 'tdx-v4'] as const).flatMap((kind): AcceptedVariant[] => [
    {
      name: `accepted/expired within the grace/${kind}`,
      expectedStatus: 'UpToDate',
      make: (sgx) => ({
        ...valid(sgx, kind),
        at: new Date(sgx.now().getTime() + 33 * 86_400_000),
        settings: { graceSeconds: 7 * 86_400 },
      }),
    },
    {
      name: `accepted/one bundle chain with CRLF/${kind}`,
      expectedStatus: 'UpToDate',
      make: (sgx) => {
        const good = valid(sgx, kind);
        return {
          ...good,
          bundle: {
            ...good.bundle,
            tcb_info_issuer_chain: good.bundle.tcb_info_issuer_chain.replaceAll('\n', '\r\n'),
          },
        };
      },
    },
    {
      name: `accepted/collateral chains from the root down/${kind}`,
      expectedStatus: 'UpToDate',
      make: (sgx) => {
        const { pki } = sgx;
        const chain = chainPem([pki.root, pki.tcbSigner]);
        return {
          ...valid(sgx, kind),
          bundle: {
            ...valid(sgx, kind).bundle,
            tcb_info_issuer_chain: chain,
            qe_identity_issuer_chain: chain,
            pck_crl_issuer_chain: chainPem([pki.root, pki.platform]),
          },
        };
      },
    },
    {
      name: `accepted/hex in upper case/${kind}`,
      expectedStatus: 'UpToDate',
      make: (sgx) => {
        const good = valid(sgx, kind);
        const { bundle } = good;
        return {
          ...good,
          bundle: {
            ...bundle,
            root_ca_crl: bundle.root_ca_crl.toUpperCase(),
            pck_crl: bundle.pck_crl.toUpperCase(),
            tcb_info_signature: bundle.tcb_info_signature.toUpperCase(),
          },
        };
      },
    },
    {
      name: `accepted/a PCK serial number with its high bit set/${kind}`,
      expectedStatus: 'UpToDate',
      make: (sgx) => {
        const quote = editedQuote(sgx, kind, (parts, made) => {
          const chain = pckChainOf(made);
          const leaf = reissue(chain.leaf, { serial: flipped(Buffer.alloc(20, 0x01), 0, 0xfe) });
          return { ...parts, certificationData: chainBytes([leaf, chain.intermediate, chain.root]) };
        });
        return { ...valid(sgx, kind), quote };
      },
    },
  ]),
];

/** The quotes of many machines with one collateral. */
const machines: AcceptedVariant[] = Array.from({ length: 4 }, (_, index) => ({
  name: `accepted/machine ${index}/sgx-v3`,
  expectedStatus: 'UpToDate' as const,
  make: (sgx: SimulatedSgx) => ({
    ...valid(sgx, 'sgx-v3'),
    quote: scene(sgx, 'sgx-v3', { name: `machine ${index}` }).platform.quote(requestOf('sgx-v3')),
  }),
}));

export const UNUSUAL_EVIDENCE: AcceptedVariant[] = [
  ...quotes,
  ...sgxOnly,
  ...tdxOnly,
  ...levels,
  ...machines,
];
