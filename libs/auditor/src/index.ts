/**
 * What an auditor checks who believes nobody but the keys at hand: pure, bytes and a clock in, frauds out. Whole logs from
 * their published files (`verifyLog`), live ones as they grow (`LogWatch`).
 */
export { FRAUD_KINDS, type Fraud, type FraudKind } from './fraud.js';
export { auditorTrust, witnessVerifier, type AuditorTrust, type TrustOptions } from './auditor-trust.js';
export { checkCheckpoint, unwitnessed } from './checkpoint-check.js';
export { checkEntry, isFraud, type CheckedEntry, type CheckedEvent } from './entry-check.js';
export { FollowedNumbering, type FollowedNumberingState } from './followed-numbering.js';
export { compareHistories } from './histories.js';
export { JointNumbering } from './joint-numbering.js';
export { LogKeys } from './log-keys.js';
export { LogWatch, type WatchState, type WatchStep } from './log-watch.js';
export { NumberingCheck, type NumberingState } from './numbering-check.js';
export { authenticPromise, promiseKept } from './promise-check.js';
export { readBundle, type PublishedFiles } from './tile-reader.js';
export { learnKeys, verifyLog, type LogReport, type VerifyLogOptions } from './verify-log.js';
