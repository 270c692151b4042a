import { DcapError } from './error.js';
import type { QeIdentity } from './qe-identity.js';
import type { Quote } from './quote.js';
import { TdReportBody } from './report-body.js';
import type { SgxExtension } from './sgx-extension.js';
import { applyRelaunch, convergeStatuses } from './tcb-status.js';
import type { PlatformStatus, TcbStatus } from './tcb-status.js';
import type { ComponentLevel, TcbInfo, TcbLevel, TdxModule } from './tcb-info.js';

/** The levels that a platform and its components are on, and what follows. */
export interface TcbEvaluation {
  readonly status: TcbStatus;
  readonly platform: TcbLevel;
  readonly qe: ComponentLevel;
  /** Absent for SGX and for TDX module version 0. */
  readonly module?: ComponentLevel;
  /** TD 1.5 only; `current` is absent if the running module matches no level. */
  readonly relaunch?: { readonly launch: PlatformStatus; readonly current?: PlatformStatus };
  readonly advisoryIds: readonly string[];
  /** The oldest of the levels' dates. */
  readonly oldestTcbDate: string;
}

function notSupported(what: string): never {
  throw new DcapError('TCB_NOT_SUPPORTED', what);
}

/** The highest level that no SVN of the platform is below (QVL, EvaluateTcb). `levels` are sorted. */
export function matchPlatformLevel(
  levels: readonly TcbLevel[],
  sgx: SgxExtension,
  teeTcbSvn?: Buffer,
): TcbLevel {
  // With a module version above 0 the first two SVNs are the module's, which has levels of its own.
  const tdxStart = teeTcbSvn !== undefined && teeTcbSvn[1] !== 0 ? 2 : 0;
  const found = levels.find(
    ({ components, pceSvn, tdxComponents }) =>
      atLeast(sgx.tcbComponents, components, 0) &&
      sgx.pceSvn >= pceSvn &&
      (teeTcbSvn === undefined ||
        (tdxComponents !== undefined && atLeast(teeTcbSvn, tdxComponents, tdxStart))),
  );
  return found ?? notSupported('the platform is below every TCB level');
}

function atLeast(actual: Buffer, required: Buffer, start: number): boolean {
  for (let i = start; i < 16; i++) {
    if ((actual[i] as number) < (required[i] as number)) return false;
  }
  return true;
}

/** The highest level of the quoting enclave. */
export function matchQeLevel(identity: QeIdentity, isvSvn: number): ComponentLevel {
  const found = identity.levels.find((level) => level.isvSvn <= isvSvn);
  return (
    found ?? notSupported(`the quoting enclave (ISV SVN ${isvSvn}) is below every level of its identity`)
  );
}

/** What TCB info expects of a TDX module of this version, or undefined if it does not know the version. */
function findModule(
  info: TcbInfo,
  teeTcbSvn: Buffer,
): (TdxModule & { levels?: readonly ComponentLevel[] }) | undefined {
  const version = teeTcbSvn[1] as number;
  if (version === 0) return info.tdxModule;
  const id = `TDX_${version.toString(16).padStart(2, '0').toUpperCase()}`;
  return info.tdxModuleIdentities.find((identity) => identity.id === id);
}

/** The TDX module must be one that TCB info knows, of its signer, with attributes all zero. */
export function checkTdxModule(body: TdReportBody, info: TcbInfo): void {
  const module = findModule(info, body.teeTcbSvn);
  if (module === undefined) {
    throw new DcapError('TDX_MODULE_MISMATCH', `TDX module version ${body.teeTcbSvn[1]} is not in TCB info`);
  }
  if (!body.mrSignerSeam.equals(module.mrSigner)) {
    throw new DcapError('TDX_MODULE_MISMATCH', 'the TDX module is of another signer');
  }
  // Intel requires both, without regard to the mask.
  if (!body.seamAttributes.equals(module.attributes) || body.seamAttributes.some((byte) => byte !== 0)) {
    throw new DcapError('TDX_MODULE_MISMATCH', 'the attributes of the TDX module do not match');
  }
}

function matchModuleLevel(info: TcbInfo, teeTcbSvn: Buffer): ComponentLevel | undefined {
  const levels = findModule(info, teeTcbSvn)?.levels;
  if (levels === undefined) return undefined;
  const isvSvn = teeTcbSvn[0] as number;
  return (
    levels.find((level) => level.isvSvn <= isvSvn) ??
    notSupported(`the TDX module (SVN ${isvSvn}) is below every level`)
  );
}

interface PointInTime {
  readonly platform: TcbLevel;
  readonly module?: ComponentLevel;
  readonly status: PlatformStatus;
}

function evaluateAt(info: TcbInfo, sgx: SgxExtension, qe: ComponentLevel, teeTcbSvn?: Buffer): PointInTime {
  const platform = matchPlatformLevel(info.levels, sgx, teeTcbSvn);
  const module = teeTcbSvn === undefined ? undefined : matchModuleLevel(info, teeTcbSvn);
  const components = module === undefined ? [qe.status] : [qe.status, module.status];
  return { platform, status: convergeStatuses(platform.status, components), ...(module && { module }) };
}

/** The module that runs now may have no level; then nothing improves. */
function evaluateCurrent(...parameters: Parameters<typeof evaluateAt>): PlatformStatus | undefined {
  try {
    return evaluateAt(...parameters).status;
  } catch (error) {
    if (error instanceof DcapError && error.code === 'TCB_NOT_SUPPORTED') return undefined;
    throw error;
  }
}

/** Matches all levels and converges their statuses. Throws DcapError TCB_NOT_SUPPORTED. */
export function evaluateTcb(
  quote: Quote,
  sgx: SgxExtension,
  info: TcbInfo,
  qe: ComponentLevel,
): TcbEvaluation {
  const td = quote.body instanceof TdReportBody ? quote.body : undefined;
  const launch = evaluateAt(info, sgx, qe, td?.teeTcbSvn);
  const { platform, module } = launch;
  const levels = module === undefined ? [platform, qe] : [platform, qe, module];
  const dates = levels.map(({ tcbDate }) => tcbDate).sort();
  const common = {
    platform,
    qe,
    ...(module && { module }),
    advisoryIds: Object.freeze([...new Set(levels.flatMap(({ advisoryIds }) => advisoryIds))]),
    oldestTcbDate: dates[0] as string,
  };
  if (td?.teeTcbSvn2 === undefined) return { ...common, status: launch.status };
  const current = evaluateCurrent(info, sgx, qe, td.teeTcbSvn2);
  return {
    ...common,
    status: applyRelaunch(launch.status, current),
    relaunch: { launch: launch.status, ...(current && { current }) },
  };
}
