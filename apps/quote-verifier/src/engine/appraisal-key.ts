import { claimedRole, DcapError, parseCertificate, splitPemChain, TdReportBody, type Quote } from '#dcap';
import { createHash, hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const MAX_KNOWN = 4_096;

/**
 * Names what a TCB status rests on besides the collateral: evidence with the same name has the same status by the same collateral,
 * so that one piece of it stands for all when collateral changes. A reader of verdicts needs no knowledge of quotes for that.
 *
 * SHA-256 over: the TEE; SHA-256 of the PCK certificate's signed part (SVNs, FMSPC, and the serial number that a CRL names); of the
 * quoting enclave's report MISCSELECT, attributes, MRSIGNER, product and SVN; of a TD report the SVNs, signer and attributes of the TDX
 * module. The certificate's signature and the PEM around it stay out: whoever holds a quote may vary them.
 */
export class AppraisalKeys {
  /** SHA-256 of the PCK certificate's signed part, by the digest of the chain that carries it. */
  private readonly certificates = new LRUCache<string, string>({ max: MAX_KNOWN });

  /**
   * For verified evidence only.
   * @param chainDigest digest of `chain`, which the caller has for another reason
   * @param chain the PEM chain that the evidence was verified with
   */
  of(quote: Quote, chainDigest: string, chain: Buffer | string): string {
    let certificate = this.certificates.get(chainDigest);
    if (certificate === undefined) {
      certificate = hash('sha256', pckOf(chain).tbs, 'hex');
      this.certificates.set(chainDigest, certificate);
    }
    const { raw } = quote.qe.report;
    const digest = createHash('sha256')
      .update(`siegel appraisal v1\n${quote.tee}\n${certificate}\n`)
      // Each part has a fixed length, so that none can pass for a piece of another.
      .update(raw.subarray(16, 20))
      .update(raw.subarray(48, 64))
      .update(raw.subarray(128, 160))
      .update(raw.subarray(256, 260));
    const { body } = quote;
    if (body instanceof TdReportBody) {
      digest.update(body.teeTcbSvn).update(body.mrSignerSeam).update(body.seamAttributes);
      if (body.teeTcbSvn2 !== undefined) digest.update(body.teeTcbSvn2);
    }
    return digest.digest('hex');
  }
}

function pckOf(chain: Buffer | string) {
  for (const der of splitPemChain(chain)) {
    const certificate = parseCertificate(der);
    if (claimedRole(certificate) === 'pck') return certificate;
  }
  throw new DcapError('CERT_ROLE_INVALID', 'the chain has no PCK certificate');
}
