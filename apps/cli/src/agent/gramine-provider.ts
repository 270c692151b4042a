import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from './agent-error.js';
import { type EvidenceProvider, MAX_QUOTE_BYTES, REPORT_DATA_BYTES } from './evidence-provider.js';

const TIMEOUT_MS = 10_000;

/**
 * Quotes by Gramine's pseudo-files (Gramine documentation, attestation, "Low-level /dev/attestation interface"): 64 bytes to
 * `user_report_data`, then the quote from `quote`. The device has one report data for the whole process, so one quote is made at a time.
 */
export class GramineProvider implements EvidenceProvider {
  readonly kind = 'SgxEnclave';
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly device: string) {}

  quote(reportData: Buffer): Promise<Buffer> {
    const next = this.last.then(() => this.make(reportData));
    this.last = next.catch(() => undefined);
    return next;
  }

  private async make(reportData: Buffer): Promise<Buffer> {
    if (reportData.length !== REPORT_DATA_BYTES)
      throw new Error(`report data has ${REPORT_DATA_BYTES} bytes`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('no quote in time')), TIMEOUT_MS);
    });
    try {
      return await Promise.race([this.read(reportData), late]);
    } catch (error) {
      const { message } = error as Error;
      throw new AgentError('EVIDENCE_UNAVAILABLE', `${this.device} gives no quote: ${message}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  private async read(reportData: Buffer): Promise<Buffer> {
    const input = await open(join(this.device, 'user_report_data'), 'w');
    try {
      await input.writeFile(reportData);
    } finally {
      await input.close();
    }
    const output = await open(join(this.device, 'quote'), 'r');
    try {
      const buffer = Buffer.alloc(MAX_QUOTE_BYTES + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await output.read(buffer, length, buffer.length - length, null);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      if (length === 0 || length > MAX_QUOTE_BYTES) throw new Error(`a quote of ${length} bytes`);
      return buffer.subarray(0, length);
    } finally {
      await output.close();
    }
  }
}
