import { FORMATS } from '../manifest/formats.js';
import type { TextFormat } from '../manifest/formats.js';
import { TCB_STATUSES } from '../manifest/schema.js';
import type { TcbStatusName } from '../manifest/schema.js';
import type { Identity } from '../manifest/identity-schema.js';
import type { ClaimCondition } from './grammar.js';
import { SGX_CLAIMS } from './known-claims.js';

/** `mapped`: the manifest says the same; `weakened`: it says less; `unsupported`: it cannot say it, and leaves it out. */
export type ImportResult = 'mapped' | 'weakened' | 'unsupported';

export interface ImportEntry {
  /** Where in the policy, e.g. `anyOf[0].allOf[2]`. */
  readonly path: string;
  readonly result: ImportResult;
  readonly note: string;
}

/** What a condition contributes to a workload. */
export interface Contribution {
  readonly result: ImportResult;
  readonly note: string;
  readonly identity?: Identity;
  /** What the condition demands of the debug attribute. */
  readonly debug?: boolean;
  readonly tcb?: TcbStatusName;
}

interface MeasurementField {
  readonly field: keyof Identity;
  readonly format: TextFormat;
}

/** Claims whose value is a measurement, and the identity field that pins it. */
const MEASUREMENTS: Readonly<Record<string, MeasurementField>> = Object.fromEntries([
  ...SGX_CLAIMS.mrenclave.map((claim) => [claim, { field: 'mrenclave', format: FORMATS.mrenclave }]),
  ...SGX_CLAIMS.mrsigner.map((claim) => [claim, { field: 'mrsigner', format: FORMATS.mrsigner }]),
  ['x-ms-sgx-config-id', { field: 'configid', format: FORMATS.bytes64 }],
  ['x-ms-sgx-isv-extended-product-id', { field: 'isvextprodid', format: FORMATS.bytes16 }],
  ['x-ms-sgx-isv-family-id', { field: 'isvfamilyid', format: FORMATS.bytes16 }],
  ...['mrtd', 'rtmr0', 'rtmr1', 'rtmr2', 'rtmr3', 'mrseam', 'mrconfigid', 'mrowner', 'mrownerconfig'].map(
    (field) => [`tdx_${field}`, { field, format: FORMATS.bytes48 }],
  ),
]) as Readonly<Record<string, MeasurementField>>;

const PRODUCT = new Set<string>(SGX_CLAIMS.product);
/** Claims with a number of which a manifest has the lowest accepted value. */
const FLOORS: Readonly<Record<string, 'isvsvn' | 'configsvn'>> = {
  ...Object.fromEntries(SGX_CLAIMS.svn.map((claim) => [claim, 'isvsvn' as const])),
  'x-ms-sgx-config-svn': 'configsvn',
};
const DEBUG = new Set<string>([...SGX_CLAIMS.debug, 'tdx_td_attributes_debug']);
/** Of Microsoft's tokens for TDs, and of ours for both. */
const TCB = new Set<string>(['attester_tcb_status', 'x-siegel-tcb-status']);
/** Claims that only say which kind of token it is; the identity fields of a workload imply as much. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  'x-ms-attestation-type': ['sgx', 'tdxvm'],
  tee: ['sgx', 'tdx'],
  'x-ms-ver': ['1.0'],
};

/** What a manifest can say of one condition. Pure. */
export function contributionOf(condition: ClaimCondition): Contribution {
  const { claim, operator } = condition;
  const value = String(condition.value);
  if (operator === 'exists') return existence(claim, value);
  const measurement = MEASUREMENTS[claim];
  if (measurement) return pinned(measurement, operator, value);
  if (PRODUCT.has(claim)) return product(operator, value);
  const floor = FLOORS[claim];
  if (floor) return atLeast(floor, operator, value);
  if (DEBUG.has(claim)) return debug(operator, value);
  if (TCB.has(claim)) return tcb(operator, value);
  const kinds = KINDS[claim];
  if (kinds && operator === 'equals' && kinds.includes(value))
    return mapped('the identity of the workload implies it');
  return unsupported(`a manifest has nothing for the claim "${claim.slice(0, 80)}"`);
}

function existence(claim: string, value: string): Contribution {
  const verified =
    MEASUREMENTS[claim] !== undefined ||
    PRODUCT.has(claim) ||
    FLOORS[claim] !== undefined ||
    DEBUG.has(claim) ||
    KINDS[claim] !== undefined;
  return value === 'true' && verified
    ? mapped('verified evidence always has it')
    : unsupported('a manifest cannot demand that a claim is there or not');
}

function pinned({ field, format }: MeasurementField, operator: string, value: string): Contribution {
  if (operator !== 'equals')
    return unsupported(`a manifest lists the accepted values of ${field}; it cannot exclude some`);
  if (!format.pattern.test(value))
    return unsupported(`${field} is ${format.what}: no evidence has the value of the policy`);
  return mapped(`identity.${field}`, { identity: { [field]: [value] } });
}

function product(operator: string, value: string): Contribution {
  const number = svnOf(value);
  if (operator !== 'equals' || number === undefined)
    return unsupported('a manifest lists the accepted product numbers (0 to 65535)');
  return mapped('identity.isvprodid', { identity: { isvprodid: number } });
}

function atLeast(field: 'isvsvn' | 'configsvn', operator: string, value: string): Contribution {
  const number = svnOf(value);
  if (number === undefined) return unsupported(`${field} is a number from 0 to 65535`);
  switch (operator) {
    case 'greaterOrEquals':
      return mapped(`identity.${field}`, { identity: { [field]: number } });
    case 'greater':
      return number === 65_535
        ? unsupported(`no ${field} is above 65535`)
        : mapped(`identity.${field}`, { identity: { [field]: number + 1 } });
    case 'equals':
      return {
        result: 'weakened',
        note: `${field} is a lowest value in a manifest: later versions pass as well`,
        identity: { [field]: number },
      };
    default:
      return unsupported(`a manifest has a lowest ${field} only`);
  }
}

function debug(operator: string, value: string): Contribution {
  if (!/^(?:true|false)$/.test(value) || !/^(?:equals|notEquals)$/.test(operator))
    return unsupported('no token has this value');
  const demanded = (value === 'true') === (operator === 'equals');
  if (!demanded) return mapped('a workload refuses debug enclaves by itself', { debug: false });
  return {
    result: 'weakened',
    note: 'debug: true accepts debug enclaves beside others; the host can read the memory of those',
    debug: true,
  };
}

function tcb(operator: string, value: string): Contribution {
  const status = TCB_STATUSES.find((name) => name === value && name !== 'Revoked');
  return operator === 'equals' && status !== undefined
    ? mapped('tcb.accept', { tcb: status })
    : unsupported('a manifest lists accepted TCB statuses');
}

const svnOf = (value: string): number | undefined =>
  /^(?:0|[1-9]\d{0,4})$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined;

const mapped = (note: string, more: Partial<Contribution> = {}): Contribution => ({
  result: 'mapped',
  note,
  ...more,
});
const unsupported = (note: string): Contribution => ({ result: 'unsupported', note });
