import type { SimulatedPlatform } from '../platform.js';
import { sgxReportBody, type SgxReportFields } from '../report-bodies.js';
import type { SoftwareProcessor } from './software-processor.js';

/** An enclave on a simulated machine, as far as local attestation goes: it makes REPORTs and checks those that are meant for it. */
export class SoftwareEnclave {
  constructor(
    private readonly platform: SimulatedPlatform,
    private readonly processor: SoftwareProcessor,
    private readonly identity: Omit<SgxReportFields, 'reportData' | 'cpuSvn'>,
  ) {}

  /** The enclave's own report body, without report data. */
  get body(): Buffer {
    return this.bodyWith(Buffer.alloc(64));
  }

  report(target: Uint8Array, reportData: Uint8Array): Buffer {
    return this.processor.ereport(this.bodyWith(reportData), target);
  }

  accepts(report: Uint8Array): boolean {
    return this.processor.verifyReport(this.body, report);
  }

  private bodyWith(reportData: Uint8Array): Buffer {
    const { cpuSvn } = this.platform.description;
    return sgxReportBody({ ...this.identity, cpuSvn, reportData: Buffer.from(reportData) });
  }
}
