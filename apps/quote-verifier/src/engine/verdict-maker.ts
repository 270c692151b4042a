import { type CollateralKey, keyText, pckQueryOf } from '#collateral';
import { SiegelError, type VerdictClaims, type VerifyRequest } from '#contracts';
import {
  collateralKeyOf,
  DcapError,
  hasOpenEnclaveHeader,
  parseQuote,
  QuoteVerifier,
  stripOpenEnclaveHeader,
  type CollateralEpoch,
  type Quote,
  type TrustAnchor,
  type VerificationReport,
} from '#dcap';
import { hash } from 'node:crypto';
import { refusedVerdict, verdictOf, type Evidence } from '../verdict/verdict-claims.js';
import type { VerdictSigner } from '../verdict/verdict-signer.js';
import { parseVerifyRequest } from '../verdict/verify-request.js';
import { AppraisalKeys } from './appraisal-key.js';
import type { Attempt, Findings } from './attempt.js';
import { chainDigestOf, EvidenceOrigins } from './evidence-origin.js';

export interface VerdictMakerOptions {
  readonly signer: VerdictSigner;
  readonly anchors: readonly TrustAnchor[];
  readonly clock: () => Date;
}

/**
 * From the bytes of a request to the bytes of its reply, without waiting for anything: what is missing is named, and the caller
 * tries again when it is there. Runs on the event loop or in a thread; holds the epochs in force and libs/dcap's caches.
 */
export class VerdictMaker {
  private readonly epochs = new Map<string, CollateralEpoch>();
  private readonly verifier = new QuoteVerifier();
  private readonly appraisalKeys = new AppraisalKeys();
  private readonly origins: EvidenceOrigins;

  constructor(private readonly options: VerdictMakerOptions) {
    this.origins = new EvidenceOrigins(options.anchors);
  }

  adopt(key: CollateralKey, epoch: CollateralEpoch): void {
    this.epochs.set(keyText(key), epoch);
  }

  attempt(body: Uint8Array, findings: Findings = {}): Attempt {
    try {
      const { request, evidence } = parseVerifyRequest(body);
      return this.judge(request, evidence, findings);
    } catch (error) {
      if (error instanceof SiegelError)
        return { kind: 'error', code: error.code, detail: error.detail ?? '' };
      throw error;
    }
  }

  private judge(request: VerifyRequest, evidence: Buffer, findings: Findings): Attempt {
    const at = this.options.clock();
    // Without a time there is no verdict, not even a refusal: it would carry no time either.
    if (Number.isNaN(at.getTime())) return { kind: 'error', code: 'INTERNAL', detail: '' };
    const format = hasOpenEnclaveHeader(evidence) ? 'open-enclave' : 'dcap';
    const refuse = (error: DcapError | NonNullable<Findings['refusal']>): Attempt => {
      const named: Evidence = { sha256: hash('sha256', evidence, 'hex'), format };
      return this.reply(refusedVerdict(request, named, error, at));
    };
    if (findings.refusal !== undefined) return refuse(findings.refusal);

    let quote: Quote;
    try {
      checkFormat(request.format, format);
      quote = parseQuote(stripOpenEnclaveHeader(evidence));
      const query = pckQueryOf(quote);
      if (query !== undefined && findings.pckChain === undefined) return { kind: 'needs-pck', query };
    } catch (error) {
      if (!(error instanceof DcapError)) throw error;
      return refuse({ code: error.code, message: error.message, step: error.step ?? 'quote-format' });
    }

    const { pckChain } = findings;
    const chainDigest = chainDigestOf(quote, pckChain);
    const answer = (report: VerificationReport): Attempt => {
      const appraisalKey = report.verified
        ? this.appraisalKeys.of(quote, chainDigest, pckChain ?? quote.qe.certification.raw)
        : undefined;
      const named: Evidence = { sha256: report.evidenceSha256, format };
      return this.reply(verdictOf(request, named, report, at, appraisalKey));
    };
    const known = this.origins.remembered(quote, chainDigest);
    const judged =
      known === undefined ? this.judgeClaimed(evidence, quote, chainDigest, at, findings) : undefined;
    if (judged !== undefined) return answer(judged);

    const origin =
      known === undefined ? this.origins.of(evidence, quote, chainDigest, at, pckChain) : { key: known };
    if ('refused' in origin) return answer(origin.refused);
    const epoch = this.freshEpoch(origin.key, at);
    if (epoch === undefined) return { kind: 'needs-collateral', key: origin.key };
    return answer(this.verify(evidence, epoch, at, findings));
  }

  /**
   * A platform seen for the first time: with the collateral of the kind that its certificate claims, if that is at hand, the
   * verification proves the claim in passing. Nothing is fetched for it here.
   */
  private judgeClaimed(
    evidence: Buffer,
    quote: Quote,
    chainDigest: string,
    at: Date,
    findings: Findings,
  ): VerificationReport | undefined {
    let claimed: ReturnType<typeof collateralKeyOf>;
    try {
      claimed = collateralKeyOf(quote, findings.pckChain);
    } catch {
      // The chain is judged, and refused by its own code, on the way without claims.
      return undefined;
    }
    const { tee, fmspc, ca } = claimed;
    for (const { id } of this.options.anchors) {
      const epoch = this.freshEpoch({ tee, fmspc, ca, anchor: id }, at);
      const report = epoch && this.verify(evidence, epoch, at, findings);
      // Of another root than this collateral, but perhaps not than all.
      if (report === undefined || report.error?.code === 'ROOT_NOT_TRUSTED') continue;
      this.origins.remember(quote, chainDigest, report);
      return report;
    }
    return undefined;
  }

  private verify(
    evidence: Buffer,
    epoch: CollateralEpoch,
    at: Date,
    { pckChain }: Findings,
  ): VerificationReport {
    return this.verifier.verify(
      evidence,
      epoch,
      at,
      pckChain === undefined ? {} : { pckCertificateChain: pckChain },
    );
  }

  private freshEpoch(key: CollateralKey, at: Date): CollateralEpoch | undefined {
    const epoch = this.epochs.get(keyText(key));
    return epoch !== undefined && isFresh(epoch, at) ? epoch : undefined;
  }

  private reply(claims: VerdictClaims): Attempt {
    return {
      kind: 'reply',
      body: JSON.stringify({ verdict: this.options.signer.sign(claims) }),
      verified: claims.verified,
      code: claims.error?.code ?? 'VERIFIED',
    };
  }
}

function checkFormat(asked: VerifyRequest['format'], found: 'dcap' | 'open-enclave'): void {
  if (asked === 'auto' || asked === found) return;
  throw asked === 'open-enclave'
    ? new DcapError('OE_HEADER_INVALID', 'the evidence has no Open Enclave header')
    : new DcapError(
        'QUOTE_VERSION_UNSUPPORTED',
        'the evidence has an Open Enclave header and is no bare quote',
      );
}

function isFresh(epoch: CollateralEpoch, at: Date): boolean {
  try {
    epoch.checkFresh(at);
    return true;
  } catch {
    return false;
  }
}
