/** Statuses that Intel's TCB info assigns to a platform level (PCS API v4, "TCB Info V3"). */
export const PLATFORM_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const;
export type PlatformStatus = (typeof PLATFORM_STATUSES)[number];

/** Statuses of a quoting enclave or a TDX module. */
export const COMPONENT_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'] as const;
export type ComponentStatus = (typeof COMPONENT_STATUSES)[number];

export type Tee = 'sgx' | 'tdx';

export interface TcbLevel {
  /** 16 SVNs. */
  sgx: number[];
  pceSvn: number;
  /** 16 SVNs; in TDX documents only. */
  tdx?: number[];
  /** A status outside of the known ones is possible, for refusal tests. */
  status: string;
  tcbDate: string;
  advisoryIds?: string[];
}

export interface IsvLevel {
  isvSvn: number;
  status: string;
  tcbDate: string;
  advisoryIds?: string[];
}

export interface TdxModuleIdentity {
  /** `TDX_` and the module's major version as two hex digits. */
  id: string;
  mrsigner?: string;
  attributes?: string;
  attributesMask?: string;
  levels: IsvLevel[];
}

/** A TCB document as a JSON object before it is serialised; the order of keys is the order of the text. */
export type JsonObject = { [key: string]: unknown };

/**
 * The ladder of the simulated platforms: one level per status, told apart by the first two SGX components (the
 * microcode SVNs) and, for TDX, by the third TDX component. A platform below the last rung matches no level.
 */
export const LEVEL_SVN: Record<PlatformStatus, number> = {
  UpToDate: 16,
  SWHardeningNeeded: 15,
  ConfigurationNeeded: 14,
  ConfigurationAndSWHardeningNeeded: 13,
  OutOfDate: 12,
  OutOfDateConfigurationNeeded: 11,
  Revoked: 10,
};
export const BELOW_EVERY_LEVEL = 9;
export const LEVEL_PCE_SVN = 13;

/** SVN of the quoting enclave for each status of its own ladder. */
export const QE_SVN: Record<Tee, Record<ComponentStatus, number>> = {
  sgx: { UpToDate: 8, OutOfDate: 6, Revoked: 1 },
  tdx: { UpToDate: 4, OutOfDate: 3, Revoked: 1 },
};
/** SVN of a TDX module (the first TEE TCB component) for each status of its own ladder. */
export const MODULE_SVN: Record<ComponentStatus, number> = { UpToDate: 5, OutOfDate: 3, Revoked: 1 };

const padded = (...svns: number[]): number[] => [...svns, ...Array<number>(16 - svns.length).fill(0)];

/** SGX component SVNs for a rung of the ladder. */
export const sgxComponents = (rung: number): number[] => padded(rung, rung, 3, 3, 255, 255, 1);
/** TDX component SVNs: module SVN, module major version, microcode rung. */
export const tdxComponents = (module: number, major: number, rung: number): number[] =>
  padded(module, major, rung);

const ADVISORIES: Partial<Record<PlatformStatus, string[]>> = {
  SWHardeningNeeded: ['INTEL-SA-00615'],
  ConfigurationNeeded: ['INTEL-SA-00657'],
  ConfigurationAndSWHardeningNeeded: ['INTEL-SA-00615', 'INTEL-SA-00657', 'INTEL-SA-00767'],
  OutOfDate: ['INTEL-SA-00615', 'INTEL-SA-00828', 'INTEL-SA-00837'],
  OutOfDateConfigurationNeeded: ['INTEL-SA-00615', 'INTEL-SA-00657', 'INTEL-SA-00828', 'INTEL-SA-00837'],
  Revoked: ['INTEL-SA-00088', 'INTEL-SA-00106'],
};
const DATES: Record<PlatformStatus, string> = {
  UpToDate: '2025-08-13T00:00:00Z',
  SWHardeningNeeded: '2025-08-13T00:00:00Z',
  ConfigurationNeeded: '2025-05-14T00:00:00Z',
  ConfigurationAndSWHardeningNeeded: '2025-05-14T00:00:00Z',
  OutOfDate: '2023-08-09T00:00:00Z',
  OutOfDateConfigurationNeeded: '2023-02-15T00:00:00Z',
  Revoked: '2018-01-04T00:00:00Z',
};
const ISV_DATES: Record<ComponentStatus, string> = {
  UpToDate: '2025-05-14T00:00:00Z',
  OutOfDate: '2021-11-10T00:00:00Z',
  Revoked: '2018-08-15T00:00:00Z',
};

/** One level for each status, best first. */
export function defaultTcbLevels(tee: Tee): TcbLevel[] {
  return PLATFORM_STATUSES.map((status) => {
    const rung = LEVEL_SVN[status];
    const advisoryIds = ADVISORIES[status];
    return {
      sgx: sgxComponents(rung),
      pceSvn: LEVEL_PCE_SVN,
      // The first two components of a level are compared only where the module has no identity of its own.
      ...(tee === 'tdx' ? { tdx: tdxComponents(MODULE_SVN.UpToDate, 0, rung) } : {}),
      status,
      tcbDate: DATES[status],
      ...(advisoryIds === undefined ? {} : { advisoryIds }),
    };
  });
}

function isvLevels(svns: Record<ComponentStatus, number>, advisory: string): IsvLevel[] {
  return COMPONENT_STATUSES.map((status) => ({
    isvSvn: svns[status],
    status,
    tcbDate: ISV_DATES[status],
    ...(status === 'UpToDate' ? {} : { advisoryIds: [advisory] }),
  }));
}

export const defaultQeLevels = (tee: Tee): IsvLevel[] => isvLevels(QE_SVN[tee], 'INTEL-SA-00477');
export const defaultModuleIdentities = (): TdxModuleIdentity[] =>
  ['TDX_03', 'TDX_01'].map((id) => ({ id, levels: isvLevels(MODULE_SVN, 'INTEL-SA-01036') }));

const isoSeconds = (at: Date): string => at.toISOString().replace(/\.\d{3}Z$/, 'Z');
const advisories = (ids: string[] | undefined): JsonObject => (ids === undefined ? {} : { advisoryIDs: ids });

function isvLevelJson(level: IsvLevel): JsonObject {
  return {
    tcb: { isvsvn: level.isvSvn },
    tcbDate: level.tcbDate,
    tcbStatus: level.status,
    ...advisories(level.advisoryIds),
  };
}

const COMPONENT_LABELS: Record<number, JsonObject> = {
  0: { category: 'BIOS', type: 'Early Microcode Update' },
  1: { category: 'OS/VMM', type: 'SGX Late Microcode Update' },
  2: { category: 'OS/VMM', type: 'TXT SINIT' },
  3: { category: 'BIOS' },
};

function levelTcb(level: TcbLevel, version: 2 | 3): JsonObject {
  if (version === 2) {
    const named = level.sgx.map(
      (svn, index) => [`sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`, svn] as const,
    );
    return { ...Object.fromEntries(named), pcesvn: level.pceSvn };
  }
  return {
    sgxtcbcomponents: level.sgx.map((svn, index) => ({ svn, ...COMPONENT_LABELS[index] })),
    pcesvn: level.pceSvn,
    ...(level.tdx === undefined ? {} : { tdxtcbcomponents: level.tdx.map((svn) => ({ svn })) }),
  };
}

export interface TcbInfoOptions {
  tee: Tee;
  version: 2 | 3;
  issueDate: Date;
  nextUpdate: Date;
  /** Hex, written as given. */
  fmspc: string;
  pceId: string;
  evaluationDataNumber: number;
  levels: TcbLevel[];
  moduleIdentities: TdxModuleIdentity[];
}

/** TCB info as Intel's Provisioning Certification Service v4 (v3 documents) or v3 (v2 documents) writes it. */
export function tcbInfoDocument(options: TcbInfoOptions): JsonObject {
  const zeroSigner = '00'.repeat(48);
  const module = { mrsigner: zeroSigner, attributes: '00'.repeat(8), attributesMask: 'FF'.repeat(8) };
  return {
    ...(options.version === 3 ? { id: options.tee === 'sgx' ? 'SGX' : 'TDX' } : {}),
    version: options.version,
    issueDate: isoSeconds(options.issueDate),
    nextUpdate: isoSeconds(options.nextUpdate),
    fmspc: options.fmspc,
    pceId: options.pceId,
    tcbType: 0,
    tcbEvaluationDataNumber: options.evaluationDataNumber,
    ...(options.tee === 'tdx'
      ? {
          tdxModule: module,
          tdxModuleIdentities: options.moduleIdentities.map(({ levels, ...identity }) => ({
            id: identity.id,
            mrsigner: identity.mrsigner ?? module.mrsigner,
            attributes: identity.attributes ?? module.attributes,
            attributesMask: identity.attributesMask ?? module.attributesMask,
            tcbLevels: levels.map(isvLevelJson),
          })),
        }
      : {}),
    tcbLevels: options.levels.map((level) => ({
      tcb: levelTcb(level, options.version),
      tcbDate: level.tcbDate,
      tcbStatus: level.status,
      ...advisories(level.advisoryIds),
    })),
  };
}

/** MRSIGNER of Intel's quoting enclaves; the simulated ones carry it so that real identities describe them, too. */
export const QE_MRSIGNER: Record<Tee, string> = {
  sgx: '8c4f5775d796503e96137f77c68a829a0056ac8ded70140b081b094490c57bff',
  tdx: 'dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5',
};
export const QE_PROD_ID: Record<Tee, number> = { sgx: 1, tdx: 2 };

export interface QeIdentityOptions {
  tee: Tee;
  issueDate: Date;
  nextUpdate: Date;
  evaluationDataNumber: number;
  levels: IsvLevel[];
}

/** Enclave identity v2 of the quoting enclave (`QE`, `TD_QE`). */
export function qeIdentityDocument(options: QeIdentityOptions): JsonObject {
  return {
    id: options.tee === 'sgx' ? 'QE' : 'TD_QE',
    version: 2,
    issueDate: isoSeconds(options.issueDate),
    nextUpdate: isoSeconds(options.nextUpdate),
    tcbEvaluationDataNumber: options.evaluationDataNumber,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: QE_MRSIGNER[options.tee].toUpperCase(),
    isvprodid: QE_PROD_ID[options.tee],
    tcbLevels: options.levels.map(isvLevelJson),
  };
}
