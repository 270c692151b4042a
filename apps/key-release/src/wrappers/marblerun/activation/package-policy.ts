import { DENIAL_CODES, type AttestedClaims, type Condition, type DenialCode } from '#policy';
import type { PackageProperties } from '../interface.js';

const DEFAULT_STATUSES = ['SWHardeningNeeded'];

/** Every condition of a package with expected and actual, and the code of the first that fails. */
export interface PackageJudgement {
  readonly conditions: readonly Condition[];
  readonly failed: DenialCode | undefined;
}

/**
 * Whether a verified quote is of this package: strict equality of the debug flag, MRENCLAVE or signer with product and minimal SVN, TCB
 * status and, at SWHardeningNeeded, advisories. Source: reference marblerun.md §1.2.
 */
export function judgePackage(expected: PackageProperties, claims: AttestedClaims): PackageJudgement {
  const checks: { readonly code: DenialCode; readonly condition: Condition }[] = [];
  const check = (
    code: DenialCode,
    name: string,
    want: Condition['expected'],
    is: Condition['actual'],
    ok: boolean,
  ): void => {
    checks.push({ code, condition: { name: `package.${name}`, expected: want, actual: is, ok } });
  };
  const actual = (value: string | number | undefined): Condition['actual'] => value ?? null;
  check('MEASUREMENT_NOT_ALLOWED', 'tee', 'sgx', claims.tee, claims.tee === 'sgx');
  check('DEBUG_ENCLAVE', 'Debug', expected.debug, claims.debug, claims.debug === expected.debug);
  const { uniqueId, signerId, productId, securityVersion } = expected;
  if (uniqueId !== undefined)
    check(
      'MEASUREMENT_NOT_ALLOWED',
      'UniqueID',
      uniqueId,
      actual(claims.mrenclave),
      claims.mrenclave === uniqueId,
    );
  if (signerId !== undefined)
    check(
      'MEASUREMENT_NOT_ALLOWED',
      'SignerID',
      signerId,
      actual(claims.mrsigner),
      claims.mrsigner === signerId,
    );
  if (productId !== undefined) {
    const same = claims.isvProdId !== undefined && BigInt(claims.isvProdId) === productId;
    check('ISV_PROD_ID_NOT_ALLOWED', 'ProductID', String(productId), actual(claims.isvProdId), same);
  }
  if (securityVersion !== undefined) {
    const enough = claims.isvSvn !== undefined && claims.isvSvn >= securityVersion;
    check('ISV_SVN_TOO_LOW', 'SecurityVersion', `>= ${securityVersion}`, actual(claims.isvSvn), enough);
  }
  const listed: readonly string[] =
    expected.acceptedTcbStatuses.length > 0 ? expected.acceptedTcbStatuses : DEFAULT_STATUSES;
  const statuses = [...new Set(['UpToDate', ...listed])];
  check(
    'TCB_STATUS_NOT_ACCEPTED',
    'AcceptedTCBStatuses',
    statuses,
    claims.tcbStatus,
    statuses.includes(claims.tcbStatus),
  );
  const allowed = expected.acceptedAdvisories.map((id) => id.toUpperCase());
  if (claims.tcbStatus === 'SWHardeningNeeded' && allowed.length > 0) {
    const within = claims.advisoryIds.every((id) => allowed.includes(id.toUpperCase()));
    check('ADVISORY_NOT_ALLOWED', 'AcceptedAdvisories', allowed, [...claims.advisoryIds], within);
  }
  return {
    conditions: checks.map(({ condition }) => condition),
    failed: checks.find(({ condition }) => !condition.ok)?.code,
  };
}

/** What the failed condition means, for the operator. */
export const explain = (code: DenialCode): string => DENIAL_CODES[code];
