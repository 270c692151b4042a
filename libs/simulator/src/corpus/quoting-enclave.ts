import type { JsonObject } from '../tcb-documents.js';
import { QE_MRSIGNER, QE_PROD_ID } from '../tcb-documents.js';
import { sgxAttributes } from '../report-bodies.js';
import { KINDS, requestCase, TDX_KINDS, type BrokenCase, type Kind } from './evidence.js';

const SOME: Kind[] = ['sgx-v3', 'sgx-v5', 'tdx-v4', 'td15-v5'];

/** A quoting enclave that is genuine to the PCK, but not the one that the identity describes. */
function foreignEnclaves(kind: Kind): BrokenCase[] {
  const { tee } = KINDS[kind];
  const otherTee = tee === 'sgx' ? 'tdx' : 'sgx';
  const edit = (qeReport: object): { request: object } => ({ request: { qeReport } });
  return [
    ...[
      ['zero', '00'.repeat(32)],
      ['of a stranger', 'ab'.repeat(32)],
      ['of the other TEE', QE_MRSIGNER[otherTee]],
      ['one bit off', QE_MRSIGNER[tee].slice(0, 62) + (tee === 'sgx' ? 'fe' : 'a4')],
    ].map(([what, mrsigner]) =>
      requestCase(`quoting-enclave/mrsigner ${what}`, kind, 'QE_MRSIGNER_MISMATCH', edit({ mrsigner })),
    ),
    ...[0, QE_PROD_ID[otherTee], 0xffff].map((isvProdId) =>
      requestCase(
        `quoting-enclave/product id ${isvProdId}`,
        kind,
        'QE_ISVPRODID_MISMATCH',
        edit({ isvProdId }),
      ),
    ),
    ...[0x1, 0x100, 0x8000_0000].map((miscSelect) =>
      requestCase(
        `quoting-enclave/miscselect ${miscSelect}`,
        kind,
        'QE_MISCSELECT_MISMATCH',
        edit({ miscSelect }),
      ),
    ),
    ...(
      [
        ['not initialised', 0x14],
        ['without the provisioning key', 0x5],
        ['with the launch key', 0x35],
        ['with KSS', 0x95],
      ] as const
    ).map(([what, flags]) =>
      requestCase(
        `quoting-enclave/attributes ${what}`,
        kind,
        'QE_ATTRIBUTES_MISMATCH',
        edit({ attributes: sgxAttributes(flags) }),
      ),
    ),
    requestCase('quoting-enclave/debug', kind, 'QE_DEBUG', edit({ attributes: sgxAttributes(0x17) })),
    requestCase('quoting-enclave/SVN below every level', kind, 'TCB_NOT_SUPPORTED', {
      platform: { qeSvn: 0 },
    }),
    requestCase('quoting-enclave/SVN of a revoked level', kind, 'TCB_REVOKED', {
      platform: { qeStatus: 'Revoked' },
    }),
  ];
}

/** An identity that tells debug enclaves apart by mask only must not let one through. */
function debugBehindMask(kind: Kind): BrokenCase {
  const collateral = {
    editQeIdentity: (document: JsonObject): JsonObject => ({
      ...document,
      attributesMask: 'F9FFFFFFFFFFFFFF0000000000000000',
    }),
  };
  return requestCase(
    'quoting-enclave/debug that the mask hides',
    kind,
    'QE_DEBUG',
    { collateral, request: { qeReport: { attributes: sgxAttributes(0x17) } } },
    { collateral },
  );
}

/** The TDX module must be one that TCB info knows, with its signer and attributes. */
function tdxModules(kind: Kind): BrokenCase[] {
  const identity = (changes: object) => ({
    editTcbInfo: (document: JsonObject): JsonObject => ({
      ...document,
      tdxModuleIdentities: (document['tdxModuleIdentities'] as object[]).map((each) => ({
        ...each,
        ...changes,
      })),
    }),
  });
  const old = { platform: { moduleMajor: 0 } };
  const signer = `01${'00'.repeat(47)}`;
  const attributes = '0000000000000001';
  return [
    requestCase('tdx-module/signer unknown', kind, 'TDX_MODULE_MISMATCH', {
      request: { mrSignerSeam: signer },
    }),
    requestCase('tdx-module/attributes set', kind, 'TDX_MODULE_MISMATCH', {
      request: { seamAttributes: attributes },
    }),
    requestCase(
      'tdx-module/unknown major version',
      kind,
      'TDX_MODULE_MISMATCH',
      { platform: { moduleMajor: 7 } },
      { platform: { moduleMajor: 3 } },
    ),
    requestCase('tdx-module/identity with another signer', kind, 'TDX_MODULE_MISMATCH', {
      collateral: identity({ mrsigner: signer }),
    }),
    requestCase('tdx-module/identity and module with attributes', kind, 'TDX_MODULE_MISMATCH', {
      collateral: identity({ attributes }),
      request: { seamAttributes: attributes },
    }),
    requestCase('tdx-module/identity with attributes', kind, 'TDX_MODULE_MISMATCH', {
      collateral: identity({ attributes }),
    }),
    requestCase('tdx-module/no identities', kind, 'TDX_MODULE_MISMATCH', {
      collateral: { moduleIdentities: [] },
    }),
    requestCase(
      'tdx-module/module without version: signer unknown',
      kind,
      'TDX_MODULE_MISMATCH',
      { ...old, request: { mrSignerSeam: signer } },
      old,
    ),
    requestCase(
      'tdx-module/module without version: attributes set',
      kind,
      'TDX_MODULE_MISMATCH',
      { ...old, request: { seamAttributes: attributes } },
      old,
    ),
    requestCase('tdx-module/SVN of a revoked level', kind, 'TCB_REVOKED', {
      platform: { moduleStatus: 'Revoked' },
    }),
    requestCase('tdx-module/SVN below every level', kind, 'TCB_NOT_SUPPORTED', {
      request: { teeTcbSvn: `0001${'10'.repeat(14)}` },
    }),
  ];
}

export const QUOTING_ENCLAVE_CASES: BrokenCase[] = [
  ...SOME.flatMap((kind) => [...foreignEnclaves(kind), debugBehindMask(kind)]),
  ...TDX_KINDS.flatMap(tdxModules),
];
