import { createHash } from 'node:crypto';
import type { SimulatedPlatform } from '../platform.js';
import { assembleQuote, resignQuote } from '../quote-parts.js';
import { type SoftwareProcessor, targetInfoFor } from './software-processor.js';

/** `sgx_ql_qe_report_info_t`: nonce (16), TARGETINFO of the application (512), REPORT (432). */
export const QE_REPORT_INFO_BYTES = 960;

/**
 * QE3 on a simulated machine: REPORTs for it in, ECDSA quotes under the machine's PCK out; with a nonce also a REPORT of its own for the
 * application, whose report data are SHA-256(nonce, quote) (SGXDataCenterAttestationPrimitives, qe3.cpp).
 */
export class SoftwareQuotingEnclave {
  constructor(
    private readonly platform: SimulatedPlatform,
    private readonly processor: SoftwareProcessor,
  ) {}

  get targetInfo(): Buffer {
    return targetInfoFor(this.body);
  }

  get quoteSize(): number {
    return assembleQuote(this.platform.quoteParts()).length;
  }

  /** Undefined where the REPORT is not one for this enclave on this machine. */
  quote(report: Buffer): Buffer | undefined {
    if (!this.processor.verifyReport(this.body, report)) return undefined;
    const parts = { ...this.platform.quoteParts(), body: report.subarray(0, 384) };
    return assembleQuote(resignQuote(parts, { attestation: this.platform.attestationKey('sgx') }));
  }

  /** @param info of the request, whose REPORT is to be filled in @param quote the buffer that the nonce is hashed with */
  answer(info: Buffer, quote: Buffer): Buffer {
    const nonce = info.subarray(0, 16);
    const body = Buffer.from(this.body);
    createHash('sha256').update(nonce).update(quote).digest().copy(body, 320);
    return Buffer.concat([info.subarray(0, 528), this.processor.ereport(body, info.subarray(16, 528))]);
  }

  private get body(): Buffer {
    const body = Buffer.from(this.platform.quoteParts().qeReport);
    body.fill(0, 320, 384);
    return body;
  }
}
