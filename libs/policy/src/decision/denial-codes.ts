/**
 * Why a release is denied, with what the operator can do. The code is all that a caller learns; the conditions of the
 * decision are for the operator and the audit log.
 */
export const DENIAL_CODES = {
  CLOCK_UNREADABLE: 'The time of the decision is not a valid date. Repair the clock of the service.',
  SIMULATED_EVIDENCE: 'The evidence comes from a simulated platform, which this deployment does not accept.',
  WORKLOAD_UNKNOWN: 'The named workload is not in the manifest.',
  MEASUREMENT_NOT_ALLOWED:
    'No workload of the manifest has this measurement (MRENCLAVE, MRSIGNER, MRTD or RTMR).',
  WORKLOAD_AMBIGUOUS: 'Several workloads match this measurement. The caller must name the workload.',
  WORKLOAD_NOT_VALID_NOW: 'The workload is outside its validity period.',
  ISV_PROD_ID_NOT_ALLOWED:
    'The signer is accepted, but not this product (ISVPRODID, ISVEXTPRODID or ISVFAMILYID).',
  ISV_SVN_TOO_LOW:
    'The security version (ISVSVN or CONFIGSVN) of the enclave is below the floor. Deploy a newer build.',
  ISV_SVN_TOO_HIGH:
    'The security version (ISVSVN) of the enclave is above the range that the manifest names.',
  CONFIGURATION_NOT_ALLOWED: 'CONFIGID, MRCONFIGID, MROWNER or MROWNERCONFIG is not accepted.',
  DEBUG_ENCLAVE: 'The enclave runs in debug mode: the host can read its memory.',
  TCB_STATUS_NOT_ACCEPTED:
    'The TCB status of the platform is not accepted. Update the platform, or the manifest.',
  ADVISORY_NOT_ALLOWED: 'A security advisory that applies to the platform is not accepted.',
  TCB_EVALUATION_TOO_OLD: 'The collateral is older than the manifest demands (tcbEvaluationDataNumber).',
  TCB_DATE_TOO_OLD: 'The TCB level of the platform is older than the manifest demands.',
  PLATFORM_NOT_ALLOWED: 'The evidence is genuine, but not from an accepted platform.',
  BINDING_NOT_ALLOWED:
    'The binding convention of the request is not the one that the manifest names, or binds no key.',
  CHALLENGE_REQUIRED: 'The workload demands a challenge of this service inside the report data.',
} as const;

export type DenialCode = keyof typeof DENIAL_CODES;
