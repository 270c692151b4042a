import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { parseCertificate } from './certificate.js';
import { claimedRole } from './certificate-role.js';
import { readName } from './distinguished-name.js';
import { DcapError } from './error.js';
import { pckChainOf } from './pck-verification.js';
import { pemBlocks } from './pem.js';
import type { Quote } from './quote.js';
import type { Tee } from './report.js';
import { parsePckCertificate } from './sgx-extension.js';

/** What identifies the collateral of a quote. Read from certificates that are not verified: use it to fetch, no more. */
export interface CollateralKey {
  readonly tee: Tee;
  /** Lower-case hex. */
  readonly fmspc: string;
  readonly ca: 'platform' | 'processor';
  readonly pceId: string;
}

/**
 * Says which collateral a quote needs. Certification data of types 1 to 3 names the PCK certificate without carrying
 * it: throws DcapError PCK_LOOKUP_REQUIRED unless the caller gives the chain that it looked up.
 */
export function collateralKeyOf(quote: Quote, pckCertificateChain?: string): CollateralKey {
  const { certification } = quote.qe;
  const chain = certification.type === 4 ? certification.raw : pckChainOf(quote, pckCertificateChain);
  const ders = pemBlocks(chain).map((block) => block.decode());
  const leaf = ders.find((der) => claimedRole(parseCertificate(der)) === 'pck');
  if (leaf === undefined) throw new DcapError('CERT_ROLE_INVALID', 'the chain has no PCK certificate');
  const { certificate, sgx } = parsePckCertificate(leaf);
  const issuer = readName(certificate.issuer).get('CN') ?? '';
  const ca = (['platform', 'processor'] as const).find((name) => issuer.toLowerCase().includes(`${name} ca`));
  if (ca === undefined) throw new DcapError('CERT_ROLE_INVALID', 'the PCK certificate is of an unknown CA');
  return { tee: quote.tee, fmspc: sgx.fmspc, ca, pceId: sgx.pceId };
}

/** {@link collateralKeyOf} with memory, for callers that see the same platforms again and again. */
export class CollateralKeys {
  private readonly known: LRUCache<string, CollateralKey>;

  constructor(max = 4096) {
    this.known = new LRUCache({ max });
  }

  of(quote: Quote): CollateralKey {
    const id = `${quote.tee}:${hash('sha256', quote.qe.certification.raw, 'base64')}`;
    const found = this.known.get(id) ?? collateralKeyOf(quote);
    this.known.set(id, found);
    return found;
  }
}
