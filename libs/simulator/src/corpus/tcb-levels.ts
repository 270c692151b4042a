import {
  LEVEL_PCE_SVN,
  LEVEL_SVN,
  sgxComponents,
  tdxComponents,
  BELOW_EVERY_LEVEL,
  type TcbLevel,
} from '../tcb-documents.js';
import { ALL_KINDS, KINDS, requestCase, TDX_KINDS, type BrokenCase, type Kind } from './evidence.js';

const FLAT = Array<number>(16).fill(5);

/** One level with every component at 5, so that each component alone decides. */
function flatLevel(kind: Kind): TcbLevel[] {
  const tdx = KINDS[kind].tee === 'tdx' ? { tdx: FLAT } : {};
  return [{ sgx: FLAT, pceSvn: 11, ...tdx, status: 'UpToDate', tcbDate: '2025-05-14T00:00:00Z' }];
}

const lowered = (index: number): number[] =>
  FLAT.map((svn, each) => (each === index ? svn - 1 : each === 15 - index ? 255 : svn));

/** Each of the 16 SGX components of the PCK below its level; a surplus elsewhere must not make up for it. */
function componentsBelow(kind: Kind): BrokenCase[] {
  const good = {
    platform: { components: FLAT, pceSvn: 11 },
    collateral: { tcbLevels: flatLevel(kind) },
    request: flatTd(kind),
  };
  const below = FLAT.map((_, index) =>
    requestCase(
      `tcb-level/SGX component ${index + 1} below`,
      kind,
      'TCB_NOT_SUPPORTED',
      { ...good, platform: { components: lowered(index), pceSvn: 11 } },
      good,
    ),
  );
  const pce = requestCase(
    'tcb-level/PCE SVN below',
    kind,
    'TCB_NOT_SUPPORTED',
    { ...good, platform: { components: FLAT, pceSvn: 10 } },
    good,
  );
  return [...below, pce];
}

function flatTd(kind: Kind): object {
  return KINDS[kind].tee === 'tdx'
    ? { teeTcbSvn: Buffer.from([5, 1, ...FLAT.slice(2)]), ...second(kind, [5, 1, ...FLAT.slice(2)]) }
    : {};
}

const second = (kind: Kind, svns: number[]): object =>
  kind === 'td15-v5' ? { teeTcbSvn2: Buffer.from(svns) } : {};

/**
 * Each TDX component below its level. The first two are the module's SVN and major version: they count only where the
 * module has no identity of its own (major version 0), in which case the second cannot be below.
 */
function tdxComponentsBelow(kind: Kind): BrokenCase[] {
  const platform = { components: FLAT, pceSvn: 11 };
  return [1, 0].flatMap((major) => {
    const levelTdx = [5, 0, ...FLAT.slice(2)];
    const levels = [{ ...(flatLevel(kind)[0] as TcbLevel), tdx: levelTdx }];
    const svns = [5, major, ...FLAT.slice(2)];
    const evidence = (values: number[]) => ({
      platform,
      collateral: { tcbLevels: levels },
      request: { teeTcbSvn: Buffer.from(values), ...second(kind, values) },
    });
    return svns.flatMap((_, index) => {
      if (index === 1 || (index === 0 && major > 0)) return [];
      const values = svns.map((svn, each) => (each === index ? svn - 1 : each === 17 - index ? 255 : svn));
      return [
        requestCase(
          `tcb-level/TDX component ${index + 1} below, module version ${major}`,
          kind,
          'TCB_NOT_SUPPORTED',
          evidence(values),
          evidence(svns),
        ),
      ];
    });
  });
}

/** The default ladder, seen from below and from its revoked rung. */
function ladder(kind: Kind): BrokenCase[] {
  return [
    requestCase('tcb-level/below every level', kind, 'TCB_NOT_SUPPORTED', {
      platform: { components: sgxComponents(BELOW_EVERY_LEVEL) },
    }),
    requestCase('tcb-level/only the PCE SVN is high', kind, 'TCB_NOT_SUPPORTED', {
      platform: { components: sgxComponents(BELOW_EVERY_LEVEL), pceSvn: 0xffff },
    }),
    requestCase('tcb-level/PCE SVN below every level', kind, 'TCB_NOT_SUPPORTED', {
      platform: { pceSvn: LEVEL_PCE_SVN - 1 },
    }),
    requestCase('tcb-level/the CPUSVN of the report is no substitute', kind, 'TCB_NOT_SUPPORTED', {
      platform: {
        components: sgxComponents(BELOW_EVERY_LEVEL),
        cpuSvn: Buffer.from(sgxComponents(LEVEL_SVN.UpToDate)),
      },
      ...(KINDS[kind].tee === 'sgx' ? { request: { cpuSvn: 'ff'.repeat(16) } } : {}),
    }),
    requestCase('tcb-level/the PCE SVN of the header is no substitute', kind, 'TCB_NOT_SUPPORTED', {
      platform: { pceSvn: LEVEL_PCE_SVN - 1 },
      request: { header: { pceSvn: 0xffff } },
    }),
    requestCase('tcb-level/revoked', kind, 'TCB_REVOKED', { platform: { tcbStatus: 'Revoked' } }),
  ];
}

const tdxLadder = (kind: Kind): BrokenCase[] => [
  requestCase('tcb-level/TDX part below every level', kind, 'TCB_NOT_SUPPORTED', {
    request: { teeTcbSvn: Buffer.from(tdxComponents(5, 1, BELOW_EVERY_LEVEL)) },
  }),
  requestCase('tcb-level/TDX part on the revoked level', kind, 'TCB_REVOKED', {
    platform: { tdxStatus: 'Revoked' },
  }),
];

export const TCB_LEVEL_CASES: BrokenCase[] = [
  ...(['sgx-v3', 'tdx-v4'] as const).flatMap(componentsBelow),
  ...(['tdx-v4', 'td15-v5'] as const).flatMap(tdxComponentsBelow),
  ...ALL_KINDS.flatMap(ladder),
  ...TDX_KINDS.flatMap(tdxLadder),
];
