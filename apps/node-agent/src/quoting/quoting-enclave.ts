import { SiegelError } from '#contracts';
import { parseQuote, splitPemChain } from '#dcap';
import {
  attestationCertificate,
  QUOTE_NONCE_BYTES,
  quoteLength,
  reportBody,
  reportPart,
  sameBytes,
  targetInfoOf,
} from '#evidence';
import { createHash, randomBytes } from 'node:crypto';
import type { AesmClient, QuotingEnclaveTarget } from '../aesm/aesm-client.js';
import { inconsistent } from '../aesm/aesm-messages.js';

export interface QuotedEnclave {
  /** Nonce and quote: what em-app takes for the "attestation certificate". */
  readonly attestationCertificate: Buffer;
  /** PCK certificate of this machine, DER: what it takes for the "node certificate". */
  readonly nodeCertificate: Buffer;
  /** REPORT of QE3 for the application. */
  readonly report: Buffer;
}

const REPORT_AT = 528;

/**
 * Intel's QE3 in the part of Fortanix' own quoting enclave: with a nonce, QE3 makes a REPORT for the application over
 * SHA-256(nonce, quote), which is the one thing that em-app checks. Whether that holds is checked here before anything is answered.
 */
export class QuotingEnclave {
  private target: Promise<QuotingEnclaveTarget> | undefined;
  private busy = 0;

  constructor(
    private readonly aesm: AesmClient,
    private readonly maxQuotes: number,
  ) {}

  /** TARGETINFO of QE3, 512 bytes; kept until a quote fails, as an update of aesmd may bring another QE3. */
  async targetInfo(): Promise<Buffer> {
    return (await this.prepared()).targetInfo;
  }

  /** @param report REPORT of the application for QE3. @throws SiegelError QUOTING_…, OVERLOADED */
  async quote(report: Buffer): Promise<QuotedEnclave> {
    if (this.busy >= this.maxQuotes) throw new SiegelError('OVERLOADED');
    this.busy++;
    try {
      return await this.quoted(report);
    } catch (error) {
      this.target = undefined;
      throw error;
    } finally {
      this.busy--;
    }
  }

  private prepared(): Promise<QuotingEnclaveTarget> {
    const target = (this.target ??= this.aesm.init());
    target.catch(() => {
      if (this.target === target) this.target = undefined;
    });
    return target;
  }

  private async quoted(report: Buffer): Promise<QuotedEnclave> {
    const { keyId } = await this.prepared();
    const nonce = randomBytes(QUOTE_NONCE_BYTES);
    const target = targetInfoOf(report);
    const { buffer, qeReportInfo } = await this.aesm.quote(keyId, report, nonce, target);
    const length = quoteLength(buffer);
    if (length === undefined) throw inconsistent('QUOTE_MALFORMED', 'aesmd gave no version 3 quote');
    const quote = buffer.subarray(0, length);
    const asked = Buffer.concat([nonce, target]);
    if (!sameBytes(qeReportInfo.subarray(0, REPORT_AT), asked))
      throw inconsistent('QE_REPORT_FOREIGN', 'the answer is to another nonce or for another enclave');
    const qeReport = qeReportInfo.subarray(REPORT_AT);
    const certificate = attestationCertificate(nonce, quote);
    const vouched = Buffer.alloc(64);
    createHash('sha256').update(certificate).digest().copy(vouched);
    if (!sameBytes(reportPart(qeReport, 'reportData'), vouched))
      throw inconsistent('QE_REPORT_HASH', 'the REPORT of QE3 does not vouch for nonce and quote');
    const { body, pck } = readQuote(quote);
    if (!sameBytes(body, reportBody(report)))
      throw inconsistent('QUOTE_FOREIGN', 'the quote is of another enclave than the REPORT');
    return { attestationCertificate: certificate, nodeCertificate: pck, report: qeReport };
  }
}

function readQuote(bytes: Buffer): { body: Buffer; pck: Buffer } {
  try {
    const { body, qe } = parseQuote(bytes);
    const { certification } = qe;
    const [pck] = certification.type === 5 ? splitPemChain(certification.raw) : [];
    if (pck !== undefined) return { body: body.raw, pck };
  } catch (cause) {
    throw new SiegelError('QUOTING_INCONSISTENT', {
      reason: { code: 'QUOTE_MALFORMED', message: (cause as Error).message.slice(0, 300) },
      cause,
    });
  }
  throw inconsistent('QUOTE_WITHOUT_CHAIN', 'the quote carries no PCK certificate chain');
}
