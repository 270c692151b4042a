export { DCAP_ERRORS } from './error-catalogue.js';
export type { DcapErrorCode, DcapErrorEntry } from './error-catalogue.js';
export { DcapError } from './error.js';
export { VERIFICATION_STEPS } from './steps.js';
export type { VerificationStep, VerificationStepName } from './steps.js';
export type { ComponentStatus, PlatformStatus, TcbStatus } from './tcb-status.js';
export type { CollateralSummary, SgxType, Tee, VerificationReport } from './report.js';
export { COLLATERAL_FIELDS, parseCollateralBundle } from './collateral-bundle.js';
export type { CollateralBundle } from './collateral-bundle.js';
