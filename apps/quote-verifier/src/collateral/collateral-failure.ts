import type { DcapErrorCode, VerificationStepName } from '#dcap';

/**
 * Authentic collateral is at hand but must not be used: it has expired or is below the required evaluation number. The
 * evidence is refused with this code, as it would be by a verifier that was given this collateral.
 */
export class CollateralRefused extends Error {
  override readonly name = 'CollateralRefused';
  constructor(
    readonly code: DcapErrorCode,
    message: string,
    readonly step: VerificationStepName | undefined,
  ) {
    super(message);
  }
}

/** No source gave collateral that verifies. The message lists what each did, for the operator. */
export class CollateralUnavailable extends Error {
  override readonly name = 'CollateralUnavailable';
}

/** A source gave collateral that is older than what was already seen for the same key. */
export class CollateralRollback extends Error {
  override readonly name = 'CollateralRollback';
}

/** Codes of authentic collateral that may not be used at this time: every signature held before these are thrown. */
const REFUSALS: ReadonlySet<DcapErrorCode> = new Set<DcapErrorCode>([
  'CRL_EXPIRED',
  'TCB_INFO_EXPIRED',
  'QE_IDENTITY_EXPIRED',
  'CERT_EXPIRED',
  'TCB_EVALUATION_TOO_OLD',
  'TCB_SIGNER_REVOKED',
]);

export const isRefusalOfCollateral = (code: DcapErrorCode): boolean => REFUSALS.has(code);
