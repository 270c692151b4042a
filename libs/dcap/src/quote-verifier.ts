import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CollateralEpoch } from './collateral-epoch.js';
import type { P256PublicKey } from './ecdsa.js';
import type { VerifiedPck } from './pck-verification.js';
import { checkQuoteSignature } from './qe-verification.js';
import type { Quote } from './quote.js';
import { buildReport } from './report-builder.js';
import type { Progress } from './report-builder.js';
import type { VerificationReport } from './report.js';
import { StepLog } from './step-log.js';
import type { VerificationStep } from './steps.js';
import type { TcbEvaluation } from './tcb-evaluation.js';
import { checkValidity, clockOf } from './validity.js';
import { checkStatus, judgePck, judgeTcb, openEvidence, openPck, openQe } from './verification-stages.js';
import type { EvidenceOptions } from './verification-stages.js';

/** Bounds of the caches; an entry holds about 3 KB. */
export interface VerifierOptions {
  /** Platforms whose PCK chain is remembered. Default 4096. */
  readonly maxPcks?: number;
  /** Quoting enclaves whose attestation key is remembered. Default 4096. */
  readonly maxQeBlocks?: number;
}

interface KnownPck {
  readonly pck: VerifiedPck;
  readonly steps: readonly VerificationStep[];
}

interface KnownQe extends KnownPck {
  readonly attestationKey: P256PublicKey;
  /** The last evaluation that succeeded: it is the same for all SGX quotes, and for all TDs on one TDX module. */
  tcb?: {
    readonly key: string;
    readonly evaluation: TcbEvaluation;
    readonly steps: readonly VerificationStep[];
  };
}

/**
 * Verifies quotes against open epochs and remembers what does not change from quote to quote: PCK chains by the hash
 * of the certification data, attestation keys by the hash of all that certifies them. Only what verified is
 * remembered, for one epoch; dates are checked anew on each use. So a quote costs one ECDSA verification with a known
 * quoting enclave, two with a known PCK, three on a new platform.
 */
export class QuoteVerifier {
  private readonly pcks: LRUCache<string, KnownPck>;
  private readonly qes: LRUCache<string, KnownQe>;

  constructor(options: VerifierOptions = {}) {
    this.pcks = new LRUCache({ max: options.maxPcks ?? 4096 });
    this.qes = new LRUCache({ max: options.maxQeBlocks ?? 4096 });
  }

  /** Never throws for bad evidence or a stale epoch: the report says what failed. */
  verify(
    evidence: Uint8Array,
    epoch: CollateralEpoch,
    at: Date,
    options: EvidenceOptions = {},
  ): VerificationReport {
    const log = new StepLog(epoch.timelessSteps);
    const progress: Progress = { collateral: epoch.summary, anchor: epoch.trustAnchor };
    try {
      const now = log.run('clock', () => clockOf(at));
      log.run('collateral-time', () => epoch.checkFresh(at));
      const quote = openEvidence(evidence, options, log);
      progress.quote = quote;
      const qe = this.qeOf(quote, epoch, now, options, log, progress);
      finish(quote, qe, epoch, log, progress);
      return buildReport(evidence, progress, log.steps);
    } catch (error) {
      return buildReport(evidence, progress, log.steps, error);
    }
  }

  private qeOf(
    quote: Quote,
    epoch: CollateralEpoch,
    now: number,
    options: EvidenceOptions,
    log: StepLog,
    progress: Progress,
  ): KnownQe {
    const remember = isSelfContained(quote, options);
    const key = remember ? cacheKey(epoch, quote, quote.qeBlock) : '';
    const known = remember ? this.qes.get(key) : undefined;
    if (known !== undefined) {
      reuse(known, now, log, progress);
      return known;
    }
    const before = log.steps.length;
    const pck = this.pckOf(quote, epoch, now, options, log, progress);
    const attestationKey = openQe(quote, pck, epoch, log);
    const qe: KnownQe = { pck, attestationKey, steps: log.steps.slice(before) };
    if (remember) this.qes.set(key, qe);
    return qe;
  }

  private pckOf(
    quote: Quote,
    epoch: CollateralEpoch,
    now: number,
    options: EvidenceOptions,
    log: StepLog,
    progress: Progress,
  ): VerifiedPck {
    const remember = isSelfContained(quote, options);
    const key = remember ? cacheKey(epoch, quote, quote.qe.certification.raw) : '';
    const known = remember ? this.pcks.get(key) : undefined;
    if (known !== undefined) {
      reuse(known, now, log, progress);
      return known.pck;
    }
    const before = log.steps.length;
    const pck = openPck(quote, epoch.store, now, options, log);
    progress.pck = pck;
    judgePck(quote, pck, epoch, log);
    if (remember) this.pcks.set(key, { pck, steps: log.steps.slice(before) });
    return pck;
  }
}

/** Only a quote that is judged by the chain it carries is identified by its own bytes. */
function isSelfContained(quote: Quote, options: EvidenceOptions): boolean {
  return quote.qe.certification.type === 5 && options.pckCertificateChain === undefined;
}

/** The TEE belongs to the key: the collateral has been matched against it. */
function cacheKey(epoch: CollateralEpoch, quote: Quote, content: Buffer): string {
  return `${epoch.instance}:${quote.tee}:${hash('sha256', content, 'base64')}`;
}

function reuse(known: KnownPck, now: number, log: StepLog, progress: Progress): void {
  progress.pck = known.pck;
  const { validities } = known.pck;
  if (validities.some(({ from, to }) => now < from || now > to)) {
    log.run('pck-certificate', () => checkValidity(validities, now));
  }
  log.append(known.steps);
}

/** The part of a verification that depends on the quote itself. */
function finish(quote: Quote, qe: KnownQe, epoch: CollateralEpoch, log: StepLog, progress: Progress): void {
  log.run('quote-signature', () => checkQuoteSignature(quote, qe.attestationKey));
  const key = tcbKey(quote);
  if (qe.tcb?.key === key) {
    log.append(qe.tcb.steps);
    progress.tcb = qe.tcb.evaluation;
  } else {
    const before = log.steps.length;
    progress.tcb = judgeTcb(quote, qe.pck, epoch, log);
    qe.tcb = { key, evaluation: progress.tcb, steps: log.steps.slice(before) };
  }
  const { tcb } = progress;
  log.run(
    'tcb-status',
    () => checkStatus(tcb),
    () => tcb.status,
  );
}

/** What of the quote decides over its TCB besides the platform and the quoting enclave: the TDX module. */
function tcbKey(quote: Quote): string {
  const { body } = quote;
  if (body.kind === 'sgx') return '';
  const launch = body.raw.toString('latin1', 0, 16) + body.raw.toString('latin1', 64, 120);
  return `${launch}${body.teeTcbSvn2?.toString('latin1') ?? ''}`;
}

/** Stage (iii) without memory, for a single quote whose PCK is verified already. */
export function verifyOnce(
  quote: Quote,
  pck: VerifiedPck,
  epoch: CollateralEpoch,
  log: StepLog,
  progress: Progress,
): void {
  judgePck(quote, pck, epoch, log);
  const attestationKey = openQe(quote, pck, epoch, log);
  finish(quote, { pck, attestationKey, steps: [] }, epoch, log, progress);
}
