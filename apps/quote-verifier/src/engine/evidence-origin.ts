import type { CollateralKey } from '#collateral';
import {
  COLLATERAL_FIELDS,
  verifyQuote,
  type CollateralBundle,
  type Quote,
  type TrustAnchor,
  type VerificationReport,
} from '#dcap';
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const MAX_KNOWN = 4_096;

/**
 * Collateral that is complete and worthless: a verification with it judges the quote's form and its PCK chain, whatever the
 * order of its checks, and ends at the chains of the collateral.
 */
const WORTHLESS = Object.fromEntries(
  COLLATERAL_FIELDS.map((name) => [name, '-']),
) as unknown as CollateralBundle;

export type Origin = { readonly key: CollateralKey } | { readonly refused: VerificationReport };

/**
 * Says which collateral a quote needs, once its PCK chain is verified up to a trust anchor. Without that, anybody could make the
 * service fetch collateral for platforms that do not exist, by certificates of his own.
 */
export class EvidenceOrigins {
  private readonly known = new LRUCache<string, CollateralKey>({ max: MAX_KNOWN });

  constructor(private readonly anchors: readonly TrustAnchor[]) {}

  /** The answer for a chain that was verified before. */
  remembered(quote: Quote, chainDigest: string): CollateralKey | undefined {
    return quote.qe.certification.type === 5 ? this.known.get(identityOf(quote, chainDigest)) : undefined;
  }

  /** Learns from a report whose verification went beyond the PCK chain. */
  remember(quote: Quote, chainDigest: string, report: VerificationReport): CollateralKey | undefined {
    const { tee, fmspc, pckCa, trustRoot } = report;
    const chained = report.steps.some(({ name, ok }) => name === 'pck-certificate' && ok);
    if (!chained || tee === undefined || fmspc === undefined || pckCa === undefined) return undefined;
    const key: CollateralKey = { tee, fmspc, ca: pckCa, anchor: trustRoot };
    if (quote.qe.certification.type === 5) this.known.set(identityOf(quote, chainDigest), key);
    return key;
  }

  /** @param pckChain the chain that a source gave for a quote that does not carry its own. */
  of(
    evidence: Uint8Array,
    quote: Quote,
    chainDigest: string,
    at: Date,
    pckChain: string | undefined,
  ): Origin {
    const report = verifyQuote(evidence, WORTHLESS, {
      at,
      trustAnchors: this.anchors,
      ...(pckChain === undefined ? {} : { pckCertificateChain: pckChain }),
    });
    const key = this.remember(quote, chainDigest, report);
    return key === undefined ? { refused: report } : { key };
  }
}

/** What names the chain that a quote is judged by: the one that was looked up, or its own. */
export function chainDigestOf(quote: Quote, pckChain: string | undefined): string {
  return hash('sha256', pckChain ?? quote.qe.certification.raw, 'base64');
}

function identityOf(quote: Quote, chainDigest: string): string {
  return `${quote.tee}:${chainDigest}`;
}
