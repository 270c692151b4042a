import { DcapError } from './error.js';
import { JsonFields } from './signed-json.js';
import { parseJson } from './strict-json.js';
import { isComponentStatus, isPlatformStatus } from './tcb-status.js';
import type { ComponentStatus, PlatformStatus } from './tcb-status.js';

/** One TCB level; a platform is on it if none of its SVNs is lower. */
export interface TcbLevel {
  /** 16 SVNs. */
  readonly components: Buffer;
  readonly pceSvn: number;
  /** 16 SVNs, for TDX only. */
  readonly tdxComponents?: Buffer;
  readonly status: PlatformStatus;
  /** ISO-8601 in UTC. */
  readonly tcbDate: string;
  readonly advisoryIds: readonly string[];
}

/** One level of a quoting enclave or of a TDX module. */
export interface ComponentLevel {
  readonly isvSvn: number;
  readonly status: ComponentStatus;
  readonly tcbDate: string;
  readonly advisoryIds: readonly string[];
}

/** What the TDX module must be. */
export interface TdxModule {
  readonly mrSigner: Buffer;
  readonly attributes: Buffer;
  readonly attributesMask: Buffer;
}

export interface TdxModuleIdentity extends TdxModule {
  /** `TDX_` and two hex digits, upper case. */
  readonly id: string;
  /** Highest isvSvn first. */
  readonly levels: readonly ComponentLevel[];
}

/** Intel's TCB info for one FMSPC (PCS API v4, "Get TCB Info"; version 2: API v3). */
export interface TcbInfo {
  readonly version: 2 | 3;
  readonly id: 'SGX' | 'TDX';
  /** ISO-8601 in UTC. */
  readonly issueDate: string;
  readonly nextUpdate: string;
  /** Lower-case hex. */
  readonly fmspc: string;
  readonly pceId: string;
  readonly tcbEvaluationDataNumber: number;
  /** Highest first, so that the first that matches is the answer. */
  readonly levels: readonly TcbLevel[];
  readonly tdxModule?: TdxModule;
  readonly tdxModuleIdentities: readonly TdxModuleIdentity[];
}

const CODE = 'TCB_INFO_INVALID';
const MAX_LEVELS = 256;
const MAX_ADVISORIES = 256;
const MAX_MODULES = 64;
const MAX_EVALUATION_NUMBER = 0x7fffffff;

/** Parses the signed text. Throws DcapError TCB_INFO_INVALID, TCB_INFO_VERSION_UNSUPPORTED or TCB_STATUS_UNKNOWN. */
export function parseTcbInfo(text: string): TcbInfo {
  const fields = JsonFields.of(parseJson(text, CODE), CODE, 'tcbInfo');
  const version = fields.integer('version', 0xffff);
  if (version !== 2 && version !== 3) {
    throw new DcapError('TCB_INFO_VERSION_UNSUPPORTED', `TCB info version ${version} is not supported`);
  }
  const id = version === 2 ? 'SGX' : readId(fields);
  if (fields.integer('tcbType', 0xffff) !== 0) fields.fail('tcbType', 'is not 0');
  const tdx = id === 'TDX';
  if (!tdx && (fields.has('tdxModule') || fields.has('tdxModuleIdentities'))) {
    fields.fail('id', 'is SGX but TDX modules are listed');
  }
  const levels = fields.list('tcbLevels', MAX_LEVELS).map((level) => readLevel(level, version, tdx));
  if (levels.length === 0) fields.fail('tcbLevels', 'is empty');
  levels.sort((a, b) => compareLevels(b, a));
  if (levels.some((level, i) => i > 0 && compareLevels(level, levels[i - 1] as TcbLevel) === 0)) {
    fields.fail('tcbLevels', 'has two equal levels');
  }
  return {
    version,
    id,
    issueDate: fields.dateTime('issueDate'),
    nextUpdate: fields.dateTime('nextUpdate'),
    fmspc: fields.hex('fmspc', 6).toString('hex'),
    pceId: fields.hex('pceId', 2).toString('hex'),
    tcbEvaluationDataNumber: fields.integer('tcbEvaluationDataNumber', MAX_EVALUATION_NUMBER),
    levels,
    ...(tdx && { tdxModule: readModule(fields.object('tdxModule')) }),
    tdxModuleIdentities: tdx && fields.has('tdxModuleIdentities') ? readModuleIdentities(fields) : [],
  };
}

function readId(fields: JsonFields): 'SGX' | 'TDX' {
  const id = fields.string('id');
  return id === 'SGX' || id === 'TDX' ? id : fields.fail('id', 'is neither SGX nor TDX');
}

function readLevel(level: JsonFields, version: 2 | 3, tdx: boolean): TcbLevel {
  const tcb = level.object('tcb');
  const status = level.string('tcbStatus');
  if (!isPlatformStatus(status))
    throw new DcapError('TCB_STATUS_UNKNOWN', 'TCB info has a status that is not known');
  return {
    components: version === 2 ? readFlatComponents(tcb) : readComponents(tcb, 'sgxtcbcomponents'),
    pceSvn: tcb.integer('pcesvn', 0xffff),
    ...(tdx && { tdxComponents: readComponents(tcb, 'tdxtcbcomponents') }),
    status,
    tcbDate: level.dateTime('tcbDate'),
    advisoryIds: level.strings('advisoryIDs', MAX_ADVISORIES),
  };
}

function readComponents(tcb: JsonFields, name: string): Buffer {
  const components = tcb.list(name, 16);
  if (components.length !== 16) tcb.fail(name, 'has not 16 members');
  return Buffer.from(components.map((component) => component.integer('svn', 255)));
}

/** Version 2: sgxtcbcomp01svn … sgxtcbcomp16svn. */
function readFlatComponents(tcb: JsonFields): Buffer {
  return Buffer.from(
    Array.from({ length: 16 }, (_, i) => tcb.integer(`sgxtcbcomp${String(i + 1).padStart(2, '0')}svn`, 255)),
  );
}

/** Components first, then PCESVN, then TDX components: the order in which Intel's verifier tries levels. */
function compareLevels(a: TcbLevel, b: TcbLevel): number {
  const order = a.components.compare(b.components) || a.pceSvn - b.pceSvn;
  if (order !== 0 || a.tdxComponents === undefined || b.tdxComponents === undefined) return order;
  return a.tdxComponents.compare(b.tdxComponents);
}

function readModule(fields: JsonFields): TdxModule {
  return {
    mrSigner: fields.hex('mrsigner', 48),
    attributes: fields.hex('attributes', 8),
    attributesMask: fields.hex('attributesMask', 8),
  };
}

function readModuleIdentities(fields: JsonFields): TdxModuleIdentity[] {
  const identities = fields.list('tdxModuleIdentities', MAX_MODULES).map((module) => ({
    id: module.string('id').toUpperCase(),
    ...readModule(module),
    levels: readComponentLevels(module, 255),
  }));
  if (new Set(identities.map(({ id }) => id)).size !== identities.length) {
    fields.fail('tdxModuleIdentities', 'has an id twice');
  }
  return identities;
}

/** Reads `tcbLevels` of a TDX module or QE identity, highest isvSvn first; two equal ones are refused. */
export function readComponentLevels(fields: JsonFields, maxSvn: number): ComponentLevel[] {
  const levels = fields.list('tcbLevels', MAX_LEVELS).map((level) => {
    const status = level.string('tcbStatus');
    if (!isComponentStatus(status)) {
      throw new DcapError('TCB_STATUS_UNKNOWN', 'a TCB level has a status that is not known');
    }
    return {
      isvSvn: level.object('tcb').integer('isvsvn', maxSvn),
      status,
      tcbDate: level.dateTime('tcbDate'),
      advisoryIds: level.strings('advisoryIDs', MAX_ADVISORIES),
    };
  });
  if (levels.length === 0) fields.fail('tcbLevels', 'is empty');
  levels.sort((a, b) => b.isvSvn - a.isvSvn);
  if (new Set(levels.map(({ isvSvn }) => isvSvn)).size !== levels.length) {
    fields.fail('tcbLevels', 'has two equal levels');
  }
  return levels;
}
