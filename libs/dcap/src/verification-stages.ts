import type { CollateralEpoch } from './collateral-epoch.js';
import type { P256PublicKey } from './ecdsa.js';
import { DcapError } from './error.js';
import { stripOpenEnclaveHeader } from './evidence-envelope.js';
import {
  checkCollateralMatch,
  checkLookedUpPck,
  checkPckRevocation,
  openPckCertificate,
  pckChainOf,
  verifyPckChain,
} from './pck-verification.js';
import type { VerifiedPck } from './pck-verification.js';
import {
  checkQeIdentity,
  checkQeReportData,
  checkQeReportSignature,
  attestationKeyOf,
} from './qe-verification.js';
import { parseQuote } from './quote.js';
import type { Quote, QuoteLimits } from './quote.js';
import { TdReportBody } from './report-body.js';
import type { StepLog } from './step-log.js';
import { checkTdxModule, evaluateTcb, matchQeLevel } from './tcb-evaluation.js';
import type { TcbEvaluation } from './tcb-evaluation.js';
import type { TrustStore } from './trust-store.js';

/** Options that concern one quote. */
export interface EvidenceOptions {
  /**
   * The PCK chain in PEM, for a quote that does not carry it (certification data of types 1 to 4); used in place of the
   * quote's own. The signature over the report of the quoting enclave shows whether it is the right one.
   */
  readonly pckCertificateChain?: string;
  readonly limits?: QuoteLimits;
}

/** Stage (i): from evidence, with or without the Open Enclave header, to a parsed quote. */
export function openEvidence(evidence: Uint8Array, options: EvidenceOptions, log: StepLog): Quote {
  return log.run(
    'quote-format',
    () => {
      if (!ArrayBuffer.isView(evidence))
        throw new DcapError('OPTIONS_INVALID', 'the evidence is not a byte array');
      return parseQuote(stripOpenEnclaveHeader(evidence), options.limits);
    },
    ({ version, body }) => `version ${version}, body ${body.kind}`,
  );
}

/** The PCK certificate of a quote, up to the pinned root. */
export function openPck(
  quote: Quote,
  store: TrustStore,
  now: number,
  options: EvidenceOptions,
  log: StepLog,
): VerifiedPck {
  const trusted = log.run('pck-chain', () =>
    verifyPckChain(pckChainOf(quote, options.pckCertificateChain), store),
  );
  return log.run(
    'pck-certificate',
    () => {
      const pck = openPckCertificate(trusted, now);
      checkLookedUpPck(quote, pck);
      return pck;
    },
    ({ sgx }) => `FMSPC ${sgx.fmspc}, PCE ${sgx.pceId}`,
  );
}

/** The PCK certificate judged by the collateral. */
export function judgePck(quote: Quote, pck: VerifiedPck, epoch: CollateralEpoch, log: StepLog): void {
  log.run('pck-revocation', () => checkPckRevocation(pck, epoch));
  log.run('collateral-match', () => checkCollateralMatch(quote, pck, epoch));
}

/** The quoting enclave: vouched for by the PCK, bound to the attestation key, and the one that Intel describes. */
export function openQe(quote: Quote, pck: VerifiedPck, epoch: CollateralEpoch, log: StepLog): P256PublicKey {
  log.run('qe-report-signature', () => checkQeReportSignature(quote, pck.trusted.key));
  log.run('qe-report-data', () => checkQeReportData(quote));
  log.run('qe-identity-match', () => checkQeIdentity(quote.qe.report, epoch.qeIdentity));
  return attestationKeyOf(quote);
}

/** The TCB of platform, quoting enclave and TDX module. */
export function judgeTcb(
  quote: Quote,
  pck: VerifiedPck,
  epoch: CollateralEpoch,
  log: StepLog,
): TcbEvaluation {
  const { body, qe } = quote;
  if (body instanceof TdReportBody) {
    log.run(
      'tdx-module',
      () => checkTdxModule(body, epoch.tcbInfo),
      () => `version ${body.teeTcbSvn[1]}`,
    );
  }
  const qeLevel = log.run(
    'qe-tcb-level',
    () => matchQeLevel(epoch.qeIdentity, qe.report.isvSvn),
    (level) => `${level.status}, level of ${level.tcbDate}`,
  );
  return log.run(
    'tcb-level',
    () => evaluateTcb(quote, pck.sgx, epoch.tcbInfo, qeLevel),
    ({ platform }) => `${platform.status}, level of ${platform.tcbDate}`,
  );
}

/** Revoked is terminal; every other status is for policy to judge. */
export function checkStatus(tcb: TcbEvaluation): void {
  if (tcb.status === 'Revoked') throw new DcapError('TCB_REVOKED', 'the TCB level is revoked');
}
