import type { Members } from './compact-token.js';
import { RelyingPartyError } from './errors.js';

/** Siegel's own tokens (ES256), or those of the protocol of Microsoft Azure Attestation (RS256), whoever issues them. */
export type TokenKind = 'siegel' | 'maa';

/** What a verified token says of the enclave. Hex is lower case. */
export interface AttestedFacts {
  readonly tee: 'sgx' | 'tdx';
  readonly mrenclave?: string;
  readonly mrsigner?: string;
  readonly isvProdId?: number;
  readonly isvSvn?: number;
  readonly mrtd?: string;
  readonly debug: boolean;
  /** 64 bytes. */
  readonly reportData: string;
  /** Absent in tokens of Microsoft's own service for SGX. */
  readonly tcbStatus?: string;
  readonly advisoryIds?: readonly string[];
  readonly tcbEvaluationDataNumber?: number;
  readonly simulated: boolean;
  readonly tenant?: string;
  readonly workload?: string;
  readonly evidenceSha256?: string;
  /** Where the audit log keeps the event of this token. */
  readonly log?: Members;
}

/** @throws RelyingPartyError CLAIM_MISSING, CLAIM_MALFORMED, TEE_REFUSED, DRY_RUN_REFUSED */
export function factsOf(kind: TokenKind, claims: Members): AttestedFacts {
  return kind === 'siegel' ? siegelFacts(claims) : maaFacts(claims);
}

function siegelFacts(claims: Members): AttestedFacts {
  const siegel = objectIn(claims, 'siegel');
  const inner = objectIn(siegel, 'claims', 'siegel.');
  const read = reader(inner, 'siegel.claims.');
  const tee = read.text('tee');
  if (tee !== 'sgx' && tee !== 'tdx') throw new RelyingPartyError('TEE_REFUSED', String(tee));
  const collateral = siegel['collateral'] as Members | undefined;
  const own = reader(siegel, 'siegel.');
  return present({
    tee,
    mrenclave: read.hex('mrenclave', 32),
    mrsigner: read.hex('mrsigner', 32),
    isvProdId: read.integer('isvProdId'),
    isvSvn: read.integer('isvSvn'),
    mrtd: read.hex('mrtd', 48),
    debug: read.flag('debug', true),
    reportData: needed(read.hex('reportData', 64), 'siegel.claims.reportData'),
    tcbStatus: needed(read.text('tcbStatus'), 'siegel.claims.tcbStatus'),
    advisoryIds: read.texts('advisoryIds'),
    tcbEvaluationDataNumber:
      collateral && reader(collateral, 'collateral.').integer('tcbEvaluationDataNumber'),
    simulated: own.flag('simulated', true),
    tenant: own.text('tenant'),
    workload: own.text('workload'),
    evidenceSha256: own.text('evidence'),
  });
}

function maaFacts(claims: Members): AttestedFacts {
  if (claims['x-siegel-dry-run'] !== undefined) throw new RelyingPartyError('DRY_RUN_REFUSED');
  const read = reader(claims);
  if (needed(read.text('x-ms-ver'), 'x-ms-ver') !== '1.0')
    throw new RelyingPartyError('CLAIM_MALFORMED', 'x-ms-ver is not 1.0.');
  const type = needed(read.text('x-ms-attestation-type'), 'x-ms-attestation-type');
  const extra = {
    advisoryIds: read.texts('x-siegel-advisories'),
    tcbEvaluationDataNumber: read.integer('x-siegel-tcb-evaluation'),
    simulated: read.flag('x-siegel-simulated', false),
    tenant: read.text('x-siegel-tenant'),
    evidenceSha256: read.text('x-siegel-evidence-sha256'),
    log: claims['x-siegel-log'] as Members | undefined,
  };
  if (type === 'sgx')
    return present({
      tee: 'sgx',
      mrenclave: needed(read.hex('x-ms-sgx-mrenclave', 32), 'x-ms-sgx-mrenclave'),
      mrsigner: needed(read.hex('x-ms-sgx-mrsigner', 32), 'x-ms-sgx-mrsigner'),
      isvProdId: read.integer('x-ms-sgx-product-id'),
      isvSvn: read.integer('x-ms-sgx-svn'),
      debug: read.flag('x-ms-sgx-is-debuggable', true),
      reportData: needed(read.hex('x-ms-sgx-report-data', 64), 'x-ms-sgx-report-data'),
      tcbStatus: read.text('x-siegel-tcb-status'),
      ...extra,
    });
  if (type === 'tdxvm')
    return present({
      tee: 'tdx',
      mrtd: needed(read.hex('tdx_mrtd', 48), 'tdx_mrtd'),
      debug: read.flag('tdx_td_attributes_debug', true),
      reportData: needed(read.hex('tdx_report_data', 64), 'tdx_report_data'),
      tcbStatus: read.text('x-siegel-tcb-status') ?? read.text('attester_tcb_status'),
      ...extra,
    });
  throw new RelyingPartyError('TEE_REFUSED', `x-ms-attestation-type is ${type.slice(0, 32)}.`);
}

/** Typed access; what is there must be of its type: a flag that is the text "false" is no flag. */
function reader(members: Members, prefix = '') {
  const malformed = (name: string): RelyingPartyError =>
    new RelyingPartyError('CLAIM_MALFORMED', `${prefix}${name}.`);
  return {
    text: (name: string): string | undefined => {
      const value = members[name];
      if (value !== undefined && typeof value !== 'string') throw malformed(name);
      return value;
    },
    texts: (name: string): readonly string[] | undefined => {
      const value = members[name];
      if (value !== undefined && !(Array.isArray(value) && value.every((one) => typeof one === 'string')))
        throw malformed(name);
      return value as readonly string[] | undefined;
    },
    hex: (name: string, bytes: number): string | undefined => {
      const value = members[name];
      if (value === undefined) return undefined;
      if (typeof value !== 'string' || !/^[0-9a-f]*$/.test(value) || value.length !== 2 * bytes)
        throw malformed(name);
      return value;
    },
    integer: (name: string): number | undefined => {
      const value = members[name];
      if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= 0))
        throw malformed(name);
      return value as number | undefined;
    },
    flag: (name: string, required: boolean): boolean => {
      const value = members[name];
      if (value === undefined && required) throw new RelyingPartyError('CLAIM_MISSING', `${prefix}${name}.`);
      if (value !== undefined && typeof value !== 'boolean') throw malformed(name);
      return value ?? false;
    },
  };
}

function needed<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new RelyingPartyError('CLAIM_MISSING', `${name}.`);
  return value;
}

function objectIn(members: Members, name: string, prefix = ''): Members {
  const value = needed(members[name], `${prefix}${name}`);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RelyingPartyError('CLAIM_MALFORMED', `${prefix}${name}.`);
  return value as Members;
}

const present = (facts: { [Name in keyof AttestedFacts]: AttestedFacts[Name] | undefined }): AttestedFacts =>
  Object.fromEntries(
    Object.entries(facts).filter(([, value]) => value !== undefined),
  ) as unknown as AttestedFacts;
