import { verifyQuote, type Quote, type TrustAnchor, type VerificationReport } from '#dcap';
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { CollateralKey } from '../collateral/collateral-key.js';

const MAX_KNOWN = 4_096;

/** A bundle without anything: a verification with it gets as far as the PCK chain and ends. */
const NO_COLLATERAL = {
  tcb_info: '',
  tcb_info_signature: '',
  tcb_info_issuer_chain: '',
  qe_identity: '',
  qe_identity_signature: '',
  qe_identity_issuer_chain: '',
  root_ca_crl: '',
  pck_crl: '',
  pck_crl_issuer_chain: '',
};

export type Origin = { readonly key: CollateralKey } | { readonly refused: VerificationReport };

/**
 * Says which collateral a quote needs, once its PCK chain is verified up to a trust anchor. Without that, anybody could make the
 * service fetch collateral for platforms that do not exist, by certificates of his own.
 */
export class EvidenceOrigins {
  private readonly known = new LRUCache<string, CollateralKey>({ max: MAX_KNOWN });

  constructor(private readonly anchors: readonly TrustAnchor[]) {}

  /** @param pckChain the chain that a source gave for a quote that does not carry its own. */
  of(evidence: Uint8Array, quote: Quote, at: Date, pckChain: string | undefined): Origin {
    const { certification } = quote.qe;
    const carried = certification.type === 5;
    const id = carried ? `${quote.tee}:${hash('sha256', certification.raw, 'base64')}` : '';
    const known = carried ? this.known.get(id) : undefined;
    if (known !== undefined) return { key: known };
    const report = verifyQuote(evidence, NO_COLLATERAL, {
      at,
      trustAnchors: this.anchors,
      ...(pckChain === undefined ? {} : { pckCertificateChain: pckChain }),
    });
    const { tee, fmspc, pckCa, trustRoot } = report;
    const chained = report.steps.some(({ name, ok }) => name === 'pck-certificate' && ok);
    if (!chained || tee === undefined || fmspc === undefined || pckCa === undefined)
      return { refused: report };
    const key: CollateralKey = { tee, fmspc, ca: pckCa, anchor: trustRoot };
    if (carried) this.known.set(id, key);
    return { key };
  }
}
