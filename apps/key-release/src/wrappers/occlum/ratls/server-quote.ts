import { DcapError, parseQuote } from '#dcap';
import { ConfigurationError } from '#platform';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyReleaseEnvironment } from '../../../environment.js';

/** Where this service gets quotes about itself. */
export interface ServerQuotes {
  /** @param reportData 64 bytes. @throws Error where there is none; the message is for the operator */
  quote(reportData: Buffer): Promise<Buffer>;
}

/** Gramine's folder of pseudo-files inside an enclave. */
const GRAMINE_DEVICE = '/dev/attestation';
const PATIENCE_MS = 10_000;

/**
 * The source that the configuration names.
 *
 * @throws ConfigurationError where it names none, or one that this deployment must not have
 */
export function serverQuotes(environment: KeyReleaseEnvironment): ServerQuotes {
  const { SIEGEL_OCCLUM_RATLS_QUOTES: kind, SIEGEL_OCCLUM_RATLS_DEVICE: folder } = environment;
  switch (kind) {
    case 'gramine-device':
      return new AttestationFolder(GRAMINE_DEVICE);
    case 'simulated':
      if (!environment.SIEGEL_SIMULATION)
        throw refused(
          'simulated: only in a deployment of simulated evidence (SIEGEL_SIMULATION); clients on hardware would refuse it anyway',
        );
      if (folder === undefined)
        throw new ConfigurationError([
          { variable: 'SIEGEL_OCCLUM_RATLS_DEVICE', message: 'is required: the folder that gives quotes' },
        ]);
      return new AttestationFolder(folder);
    case 'none':
      throw refused(
        "Occlum's grpc_ratls client talks only to a server whose certificate carries an SGX quote over its key, and this service has no enclave to get " +
          'one from. Run it in Gramine-SGX with gramine-device, or let the enclaves use --init-ra aecs (SIEGEL_OCCLUM_AECS_PORT), for which the server needs no SGX',
      );
  }
}

/** A folder as Gramine shows it to its enclaves: 64 bytes into `user_report_data`, and `quote` holds a quote over them. */
class AttestationFolder implements ServerQuotes {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly folder: string) {}

  /** One after the other: the folder has one place for report data. */
  quote(reportData: Buffer): Promise<Buffer> {
    const next = this.last.then(() => this.ask(reportData));
    this.last = next.catch(() => undefined);
    return next;
  }

  private async ask(reportData: Buffer): Promise<Buffer> {
    const late = new AbortController();
    const asked = this.exchange(reportData);
    asked.catch(() => undefined);
    try {
      return await Promise.race([
        asked,
        sleep(PATIENCE_MS, undefined, { signal: late.signal }).then(() => {
          throw new Error(`${this.folder} gave no quote in ${PATIENCE_MS / 1_000} s`);
        }),
      ]);
    } finally {
      late.abort();
    }
  }

  private async exchange(reportData: Buffer): Promise<Buffer> {
    const type = (await readFile(join(this.folder, 'attestation_type'), 'utf8')).trim();
    if (type !== 'dcap') throw new Error(`${this.folder} offers "${type.slice(0, 32)}", not dcap`);
    await writeFile(join(this.folder, 'user_report_data'), reportData, { flag: 'r+' });
    const quote = await readFile(join(this.folder, 'quote'));
    return checked(quote, reportData);
  }
}

/** The quote without padding, if it is one over this report data. */
function checked(quote: Buffer, reportData: Buffer): Buffer {
  try {
    const parsed = parseQuote(quote);
    if (parsed.body.reportData.equals(reportData)) return parsed.bytes;
  } catch (error) {
    if (!(error instanceof DcapError)) throw error;
    throw new Error(`no quote: ${error.message}`, { cause: error });
  }
  throw new Error('a quote over other report data than was asked for');
}

const refused = (message: string): ConfigurationError =>
  new ConfigurationError([{ variable: 'SIEGEL_OCCLUM_RATLS_QUOTES', message }]);
