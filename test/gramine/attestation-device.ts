import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const REPORT_DATA_BYTES = 64;

/**
 * The folder that Gramine shows to an enclave as /dev/attestation, made of two FIFOs: whoever writes 64 bytes to `user_report_data`
 * reads a quote over them from `quote`. FIFOs give the order: a reader waits until its quote is there.
 */
export class AttestationDevice {
  readonly folder = mkdtempSync(join(tmpdir(), 'siegel-attestation-'));
  /** What was asked for, in order. */
  readonly reportData: Buffer[] = [];
  private readonly input: Socket;
  private writing = Promise.resolve();
  private pending = Buffer.alloc(0);

  constructor(private readonly quote: (reportData: Buffer) => Buffer) {
    mkdirSync(this.path('keys'));
    writeFileSync(this.path('attestation_type'), 'dcap');
    execFileSync('mkfifo', [this.path('user_report_data'), this.path('quote')]);
    // Open for both directions: it neither waits for a writer nor ends when one goes.
    const fd = openSync(this.path('user_report_data'), constants.O_RDWR | constants.O_NONBLOCK);
    this.input = new Socket({ fd, readable: true, writable: false });
    this.input.on('data', (part: Buffer) => this.take(part));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  private take(part: Buffer): void {
    this.pending = Buffer.concat([this.pending, part]);
    while (this.pending.length >= REPORT_DATA_BYTES) {
      const data = this.pending.subarray(0, REPORT_DATA_BYTES);
      this.pending = this.pending.subarray(REPORT_DATA_BYTES);
      this.reportData.push(data);
      this.writing = this.writing.then(() => this.give(this.quote(data)));
    }
  }

  /** Waits until somebody reads. */
  private async give(quote: Buffer): Promise<void> {
    const pipe = await open(this.path('quote'), 'w');
    try {
      await pipe.writeFile(quote);
    } catch (error) {
      // A reader that went away before it had all of it.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    } finally {
      await pipe.close();
    }
  }

  async close(): Promise<void> {
    this.input.destroy();
    // Lets go whoever still waits for a reader.
    const reader = await open(this.path('quote'), constants.O_RDONLY | constants.O_NONBLOCK);
    await this.writing;
    await reader.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
