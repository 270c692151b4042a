import { RelyingPartyError, type RelyingPartyErrorCode } from './errors.js';
import type { AttestedFacts } from './facts.js';

/** Which enclaves are meant. At least a measurement, a workload, or a signer with product and least version. */
export interface IdentityRequirements {
  readonly mrenclave?: readonly string[];
  readonly mrsigner?: readonly string[];
  readonly isvProdId?: number;
  readonly minIsvSvn?: number;
  readonly mrtd?: readonly string[];
  /** Workloads of Siegel's manifest; only its own tokens name them. Another tenant may have one of the same name. */
  readonly workload?: readonly string[];
  /** Default, where a workload is named: `default`, the tenant of a deployment without others. */
  readonly tenant?: string;
}

export interface PlatformRequirements {
  /** Accepted TCB statuses. Default: UpToDate, SWHardeningNeeded. */
  readonly tcbStatus?: readonly string[];
  /** Believe tokens that state no TCB status, as Microsoft's for SGX. Default: refused. */
  readonly allowUnstatedTcb?: boolean;
  readonly refuseAdvisories?: readonly string[];
  /** Default: refused. */
  readonly allowDebug?: boolean;
  /** Default: refused. */
  readonly allowSimulated?: boolean;
}

export type Requirements = { readonly identity: IdentityRequirements } & PlatformRequirements;

const DEFAULT_TENANT = 'default';
const DEFAULT_STATUSES = ['UpToDate', 'SWHardeningNeeded'];

/** @throws RelyingPartyError REQUIREMENTS_INCOMPLETE: whoever names no enclave would believe all of them */
export function checkRequirements({ identity }: Requirements): void {
  const { mrenclave, mrsigner, isvProdId, minIsvSvn, mrtd, workload } = identity;
  const bySigner = mrsigner !== undefined && isvProdId !== undefined && minIsvSvn !== undefined;
  const named = mrenclave !== undefined || mrtd !== undefined || workload !== undefined || bySigner;
  const lists = [mrenclave, mrsigner, mrtd, workload].filter((list) => list !== undefined);
  if (!named || lists.some((list) => list.length === 0))
    throw new RelyingPartyError('REQUIREMENTS_INCOMPLETE');
}

/** Compares what a token says with what is required; the first that is not met is thrown. */
export function checkFacts(facts: AttestedFacts, requirements: Requirements): void {
  const { identity } = requirements;
  oneOf('MRENCLAVE_REFUSED', facts.mrenclave, lower(identity.mrenclave));
  oneOf('MRSIGNER_REFUSED', facts.mrsigner, lower(identity.mrsigner));
  oneOf('MRTD_REFUSED', facts.mrtd, lower(identity.mrtd));
  oneOf('WORKLOAD_REFUSED', facts.workload, identity.workload);
  const tenant = identity.tenant ?? (identity.workload === undefined ? undefined : DEFAULT_TENANT);
  if (tenant !== undefined) oneOf('WORKLOAD_REFUSED', facts.tenant, [tenant]);
  if (identity.isvProdId !== undefined && facts.isvProdId !== identity.isvProdId)
    throw new RelyingPartyError('PRODUCT_REFUSED', is(facts.isvProdId));
  if (identity.minIsvSvn !== undefined && !(facts.isvSvn !== undefined && facts.isvSvn >= identity.minIsvSvn))
    throw new RelyingPartyError('SVN_TOO_LOW', is(facts.isvSvn));
  if (facts.debug && requirements.allowDebug !== true) throw new RelyingPartyError('DEBUG_REFUSED');
  if (facts.simulated && requirements.allowSimulated !== true)
    throw new RelyingPartyError('SIMULATED_REFUSED');
  checkPlatform(facts, requirements);
}

function checkPlatform({ tcbStatus, advisoryIds }: AttestedFacts, requirements: Requirements): void {
  if (tcbStatus === undefined) {
    if (requirements.allowUnstatedTcb !== true) throw new RelyingPartyError('TCB_STATUS_MISSING');
  } else if (!(requirements.tcbStatus ?? DEFAULT_STATUSES).includes(tcbStatus))
    throw new RelyingPartyError('TCB_STATUS_REFUSED', is(tcbStatus));
  const { refuseAdvisories: refused = [] } = requirements;
  if (refused.length === 0) return;
  // Who refuses advisories needs to know them.
  if (advisoryIds === undefined) throw new RelyingPartyError('CLAIM_MISSING', 'Advisories.');
  const applying = advisoryIds.filter((id) => refused.includes(id));
  if (applying.length > 0) throw new RelyingPartyError('ADVISORY_REFUSED', is(applying.join(' ')));
}

function oneOf(
  code: RelyingPartyErrorCode,
  actual: string | undefined,
  accepted: readonly string[] | undefined,
): void {
  if (accepted !== undefined && (actual === undefined || !accepted.includes(actual)))
    throw new RelyingPartyError(code, is(actual));
}

const lower = (list: readonly string[] | undefined): readonly string[] | undefined =>
  list?.map((value) => value.toLowerCase());
const is = (value: string | number | undefined): string =>
  `It is ${String(value ?? 'not stated').slice(0, 200)}.`;
