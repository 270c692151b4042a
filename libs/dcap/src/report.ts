import type { DcapErrorCode } from './error-catalogue.js';
import type { VerificationStep } from './steps.js';
import type { TcbStatus } from './tcb-status.js';

/** The trusted execution environment that made a quote. */
export type Tee = 'sgx' | 'tdx';

/** The kind of platform, from the SGX extension of the PCK certificate. */
export type SgxType = 'Standard' | 'Scalable' | 'ScalableWithIntegrity';

/** The collateral that a verdict rests on; times are ISO-8601 in UTC. */
export interface CollateralSummary {
  /** SHA-256 over the content of the collateral, hex. */
  readonly id: string;
  readonly tcbEvaluationDataNumber: number;
  readonly qeEvaluationDataNumber: number;
  readonly tcbInfoIssueDate: string;
  /** The oldest issue date among TCB info, QE identity and the CRLs. */
  readonly earliestIssue: string;
  /** The first expiry among TCB info, QE identity, the CRLs and the certificates of the collateral. */
  readonly earliestExpiration: string;
}

/**
 * The verdict over one quote. `verified` is the cryptographic verdict, independent of policy: every TCB status but
 * `Revoked` leaves it true. Byte strings are lower-case hex. SGX fields appear for SGX quotes, TD fields for TDX.
 */
export interface VerificationReport {
  readonly verified: boolean;
  /** The converged status of platform, quoting enclave and TDX module; present with `verified: false` only if Revoked. */
  readonly tcbStatus?: TcbStatus;
  /** The advisories of platform, quoting enclave and TDX module, in that order, without repetition. */
  readonly advisoryIds: readonly string[];

  readonly tee?: Tee;
  readonly quoteVersion?: number;
  readonly mrenclave?: string;
  readonly mrsigner?: string;
  readonly isvProdId?: number;
  readonly isvSvn?: number;
  readonly isvExtProdId?: string;
  readonly isvFamilyId?: string;
  readonly configId?: string;
  readonly configSvn?: number;
  readonly attributes?: string;
  /** MISCSELECT, 4 bytes in the order of the report. */
  readonly miscSelect?: string;
  readonly cpuSvn?: string;

  readonly mrtd?: string;
  readonly rtmr0?: string;
  readonly rtmr1?: string;
  readonly rtmr2?: string;
  readonly rtmr3?: string;
  readonly mrSeam?: string;
  readonly mrSignerSeam?: string;
  readonly seamAttributes?: string;
  readonly mrConfigId?: string;
  readonly mrOwner?: string;
  readonly mrOwnerConfig?: string;
  readonly tdAttributes?: string;
  readonly xfam?: string;
  readonly teeTcbSvn?: string;
  /** TD 1.5: the SVN of the TDX module that runs now (after a module update). */
  readonly teeTcbSvn2?: string;
  readonly mrServiceTd?: string;

  /** SGX: the DEBUG attribute; TDX: any bit of the TUD byte. Whether debug is acceptable is a matter of policy. */
  readonly debug?: boolean;
  /** The 64 bytes that the enclave put into its report. */
  readonly reportData?: string;

  /** The quoting enclave's identifier of its machine: user data of the quote's header, first 16 bytes. */
  readonly qeId?: string;

  readonly fmspc?: string;
  readonly pceId?: string;
  /** SHA-256 of the PPID: identifies the platform without disclosing the PPID. */
  readonly ppidSha256?: string;
  readonly platformInstanceId?: string;
  readonly sgxType?: SgxType;
  readonly dynamicPlatform?: boolean;
  readonly cachedKeys?: boolean;
  readonly smtEnabled?: boolean;
  readonly pckCa?: 'platform' | 'processor';

  readonly platformStatus?: TcbStatus;
  readonly qeStatus?: TcbStatus;
  /** Absent where the TDX module has no levels of its own (module version 0). */
  readonly moduleStatus?: TcbStatus;
  /** TD 1.5 only: the status at launch and of the TDX module that runs now. */
  readonly relaunch?: { readonly launch: TcbStatus; readonly current?: TcbStatus };
  /** The date of the platform's TCB level (ISO-8601). */
  readonly tcbDate?: string;
  /** The oldest date among the levels of platform, quoting enclave and TDX module at launch (ISO-8601). */
  readonly oldestTcbDate?: string;

  /**
   * SHA-256 of the evidence as it was given; empty if that was no byte array. Malleable: never a key for replay or
   * deduplication.
   */
  readonly evidenceSha256: string;
  /** SHA-256 of what the quote signs: the identity of the evidence. */
  readonly signedRegionSha256?: string;
  /** Zero bytes after the quote. */
  readonly trailingPadding?: number;
  readonly collateral?: CollateralSummary;
  /** The id of the trust anchor; empty if the verification ended before a root was known. */
  readonly trustRoot: string;
  /** True if the trust anchor is a simulated one. */
  readonly simulated: boolean;
  readonly steps: readonly VerificationStep[];
  readonly error?: { readonly code: DcapErrorCode; readonly message: string };
}
