import { hash } from 'node:crypto';
import { checkCollateralBundle, COLLATERAL_FIELDS } from './collateral-bundle.js';
import type { CollateralBundle } from './collateral-bundle.js';
import { openIssuers, openPckCrl, openQeIdentity, openRootCrl, openTcbInfo } from './collateral-parts.js';
import type { CollateralIssuers } from './collateral-parts.js';
import type { Crl } from './crl.js';
import { DcapError } from './error.js';
import type { QeIdentity } from './qe-identity.js';
import type { CollateralSummary, Tee } from './report.js';
import { StepLog } from './step-log.js';
import type { VerificationStep } from './steps.js';
import type { TcbInfo } from './tcb-info.js';
import type { TrustAnchor } from './trust-anchor.js';
import { TrustStore } from './trust-store.js';
import { certificateValidity, checkValidity, clockOf, isoTime } from './validity.js';
import type { Validity } from './validity.js';

/** How collateral is judged. */
export interface EpochOptions {
  /** The time of verification. */
  readonly at: Date;
  readonly trustAnchors: readonly TrustAnchor[];
  /** For how long TCB info, QE identity and CRLs are accepted past their nextUpdate; certificates have no grace. Default 0. */
  readonly graceSeconds?: number;
  /** By how much the clock may be behind that of the issuer of TCB info, QE identity and CRLs. Default 0. */
  readonly clockSkewSeconds?: number;
  /** The least acceptable tcbEvaluationDataNumber, of TCB info and QE identity alike. */
  readonly minTcbEvaluationDataNumber?: number;
}

/** A grace longer than this would be none: it is refused as a mistake. */
const MAX_GRACE_SECONDS = 366 * 86_400;
const MAX_SKEW_SECONDS = 86_400;

let instances = 0;

/**
 * Collateral whose signatures, chains, revocation lists and dates have been verified once, for all quotes of one TEE,
 * FMSPC and PCK CA. Immutable.
 */
export class CollateralEpoch {
  /** SHA-256 over the members of the bundle, hex. */
  readonly id: string;
  readonly tee: Tee;
  /** Lower-case hex. */
  readonly fmspc: string;
  readonly pceId: string;
  readonly ca: 'platform' | 'processor';
  /** The lower of those of TCB info and QE identity. */
  readonly tcbEvaluationDataNumber: number;
  readonly earliestIssue: Date;
  readonly earliestExpiration: Date;
  /** The span in which all parts are valid, grace and skew included; both ends belong to it. */
  readonly freshFrom: Date;
  readonly freshUntil: Date;
  readonly trustAnchor: TrustAnchor;
  /** The checks that were made when it was opened. */
  readonly steps: readonly VerificationStep[];
  readonly summary: CollateralSummary;

  /** Those without clock and dates, which each verification checks anew. @internal */
  readonly timelessSteps: readonly VerificationStep[];

  /** Distinguishes two epochs of equal content but other options, for caches. @internal */
  readonly instance = ++instances;

  private constructor(
    bundle: CollateralBundle,
    /** @internal */
    readonly store: TrustStore,
    /** @internal */
    readonly issuers: CollateralIssuers,
    /** @internal */
    readonly rootCrl: Crl,
    /** @internal */
    readonly pckCrl: Crl,
    readonly tcbInfo: TcbInfo,
    readonly qeIdentity: QeIdentity,
    private readonly validities: readonly Validity[],
    steps: readonly VerificationStep[],
  ) {
    this.id = hash('sha256', JSON.stringify(COLLATERAL_FIELDS.map((name) => bundle[name])), 'hex');
    this.tee = tcbInfo.id === 'SGX' ? 'sgx' : 'tdx';
    this.fmspc = tcbInfo.fmspc;
    this.pceId = tcbInfo.pceId;
    this.ca = issuers.pckCa.role === 'platform-ca' ? 'platform' : 'processor';
    this.tcbEvaluationDataNumber = Math.min(
      tcbInfo.tcbEvaluationDataNumber,
      qeIdentity.tcbEvaluationDataNumber,
    );
    const issued = [
      Date.parse(tcbInfo.issueDate),
      Date.parse(qeIdentity.issueDate),
      rootCrl.thisUpdate,
      pckCrl.thisUpdate,
    ];
    const expires = [
      Date.parse(tcbInfo.nextUpdate),
      Date.parse(qeIdentity.nextUpdate),
      rootCrl.nextUpdate,
      pckCrl.nextUpdate,
      ...issuers.certificates.map(({ notAfter }) => notAfter),
    ];
    this.earliestIssue = new Date(Math.min(...issued));
    this.earliestExpiration = new Date(Math.min(...expires));
    this.freshFrom = new Date(Math.max(...validities.map(({ from }) => from)));
    this.freshUntil = new Date(Math.min(...validities.map(({ to }) => to)));
    this.trustAnchor = issuers.anchor;
    this.steps = Object.freeze([...steps]);
    this.timelessSteps = this.steps.filter(({ name }) => name !== 'clock' && name !== 'collateral-time');
    this.summary = Object.freeze({
      id: this.id,
      tcbEvaluationDataNumber: tcbInfo.tcbEvaluationDataNumber,
      qeEvaluationDataNumber: qeIdentity.tcbEvaluationDataNumber,
      tcbInfoIssueDate: tcbInfo.issueDate,
      earliestIssue: isoTime(this.earliestIssue.getTime()),
      earliestExpiration: isoTime(this.earliestExpiration.getTime()),
    });
  }

  /** Verifies a bundle. Throws DcapError with the check that failed. */
  static open(bundle: CollateralBundle, options: EpochOptions): CollateralEpoch {
    const log = new StepLog();
    const now = log.run('clock', () => clockOf(options.at));
    const parts = log.run('collateral-format', () => checkCollateral(bundle));
    return CollateralEpoch.verify(parts, options, now, new TrustStore(options.trustAnchors), log);
  }

  /** @internal */
  static verify(
    parts: CollateralBundle,
    options: Omit<EpochOptions, 'at' | 'trustAnchors'>,
    now: number,
    store: TrustStore,
    log: StepLog,
  ): CollateralEpoch {
    const grace = 1000 * seconds(options.graceSeconds, MAX_GRACE_SECONDS, 'graceSeconds');
    const skew = 1000 * seconds(options.clockSkewSeconds, MAX_SKEW_SECONDS, 'clockSkewSeconds');
    const issuers = log.run('collateral-chains', () => openIssuers(parts, store));
    const rootCrl = log.run('root-crl', () => openRootCrl(parts.root_ca_crl, issuers), crlDetail);
    const pckCrl = log.run('pck-crl', () => openPckCrl(parts.pck_crl, issuers), crlDetail);
    const tcbInfo = log.run(
      'tcb-info',
      () => openTcbInfo(parts, issuers),
      (info) => `version ${info.version}, issued ${info.issueDate}`,
    );
    const qeIdentity = log.run(
      'qe-identity',
      () => openQeIdentity(parts, issuers, tcbInfo),
      (identity) => `${identity.id}, issued ${identity.issueDate}`,
    );
    const validities = [
      ...issuers.certificates.map(certificateValidity),
      crlValidity('the CRL of the root CA', rootCrl, grace, skew),
      crlValidity('the CRL of the PCK CA', pckCrl, grace, skew),
      documentValidity('TCB_INFO', 'TCB info', tcbInfo, grace, skew),
      documentValidity('QE_IDENTITY', 'QE identity', qeIdentity, grace, skew),
    ];
    log.run('tcb-evaluation-number', () =>
      checkEvaluationNumber(options.minTcbEvaluationDataNumber, tcbInfo, qeIdentity),
    );
    log.run('collateral-time', () => checkValidity(validities, now));
    return new CollateralEpoch(
      parts,
      store,
      issuers,
      rootCrl,
      pckCrl,
      tcbInfo,
      qeIdentity,
      validities,
      log.steps,
    );
  }

  /** Refuses a time at which some part is not yet valid or has expired (with grace). Throws DcapError. */
  checkFresh(at: Date): void {
    checkValidity(this.validities, clockOf(at));
  }
}

/** Refuses a bundle that is not complete, before anything of it is verified. */
export function checkCollateral(bundle: CollateralBundle): CollateralBundle {
  const parts = checkCollateralBundle(bundle);
  if (parts.root_ca_crl === '') throw new DcapError('CRL_MISSING', 'the CRL of the root CA is absent');
  if (parts.pck_crl === '') throw new DcapError('CRL_MISSING', 'the CRL of the PCK CA is absent');
  return parts;
}

function seconds(value: number | undefined, max: number, name: string): number {
  if (value === undefined) return 0;
  if (!Number.isFinite(value) || value < 0 || value > max) {
    throw new DcapError('OPTIONS_INVALID', `${name} is not a number of 0 to ${max}`);
  }
  return value;
}

function crlDetail(crl: Crl): string {
  return `${crl.number === undefined ? '' : `number 0x${crl.number}, `}${crl.revoked.size} revoked, issued ${isoTime(crl.thisUpdate)}`;
}

function crlValidity(what: string, crl: Crl, grace: number, skew: number): Validity {
  return {
    what,
    from: crl.thisUpdate - skew,
    to: crl.nextUpdate + grace,
    tooEarly: 'CRL_NOT_YET_VALID',
    tooLate: 'CRL_EXPIRED',
  };
}

function documentValidity(
  code: 'TCB_INFO' | 'QE_IDENTITY',
  what: string,
  document: { issueDate: string; nextUpdate: string },
  grace: number,
  skew: number,
): Validity {
  return {
    what,
    from: Date.parse(document.issueDate) - skew,
    to: Date.parse(document.nextUpdate) + grace,
    tooEarly: `${code}_NOT_YET_VALID`,
    tooLate: `${code}_EXPIRED`,
  };
}

function checkEvaluationNumber(minimum: number | undefined, tcbInfo: TcbInfo, qeIdentity: QeIdentity): void {
  if (minimum === undefined) return;
  if (!Number.isSafeInteger(minimum) || minimum < 0) {
    throw new DcapError('OPTIONS_INVALID', 'minTcbEvaluationDataNumber is not an integer');
  }
  const lowest = Math.min(tcbInfo.tcbEvaluationDataNumber, qeIdentity.tcbEvaluationDataNumber);
  if (lowest < minimum) {
    throw new DcapError(
      'TCB_EVALUATION_TOO_OLD',
      `the TCB evaluation data number is ${lowest}, at least ${minimum} is required`,
    );
  }
}
