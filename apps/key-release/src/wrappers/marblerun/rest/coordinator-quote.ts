import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CoordinatorQuoteProvider } from '../interface.js';
import type { QuoteConfig } from '../state/deployments-file.js';

const MAX_QUOTE_BYTES = 32 * 1024;
const EXEC_TIMEOUT_MS = 10_000;
const run = promisify(execFile);

/** The coordinator's own quote, from where the operator says. */
export function quoteProvider(config: QuoteConfig): CoordinatorQuoteProvider {
  switch (config.kind) {
    case 'none':
      return { quote: () => Promise.resolve(undefined) };
    case 'gramine':
      return new GramineQuotes(config.dir);
    case 'exec':
      return new ProgramQuotes(config.command);
  }
}

/** Gramine's pseudo files: the report data is written, then the quote of it read (reference §2.3). One at a time, as they are one enclave's. */
class GramineQuotes implements CoordinatorQuoteProvider {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly dir: string) {}

  quote(reportData: Buffer): Promise<Buffer> {
    const made = this.last.then(async () => {
      await writeFile(join(this.dir, 'user_report_data'), padded(reportData));
      return withHeader(bounded(await readFile(join(this.dir, 'quote'))));
    });
    this.last = made.catch(() => undefined);
    return made;
  }
}

/** A program that gets 64 bytes of report data as hex in its last argument and writes the bare quote to its output. */
class ProgramQuotes implements CoordinatorQuoteProvider {
  constructor(private readonly command: readonly string[]) {}

  async quote(reportData: Buffer): Promise<Buffer> {
    const [file, ...args] = this.command as [string, ...string[]];
    const { stdout } = await run(file, [...args, padded(reportData).toString('hex')], {
      encoding: 'buffer',
      timeout: EXEC_TIMEOUT_MS,
      maxBuffer: MAX_QUOTE_BYTES + 1,
      env: {},
    });
    return withHeader(bounded(stdout));
  }
}

const padded = (reportData: Buffer): Buffer => Buffer.concat([reportData, Buffer.alloc(64)]).subarray(0, 64);

function bounded(quote: Buffer): Buffer {
  if (quote.length === 0 || quote.length > MAX_QUOTE_BYTES)
    throw new Error(`a quote of ${quote.length} bytes from the coordinator's quote provider`);
  return quote;
}

/** Open Enclave's header of a remote SGX report, unless it is there already (reference §2.3). */
function withHeader(quote: Buffer): Buffer {
  if (quote.length > 16 && quote.readUInt32LE(0) === 1 && quote.readUInt32LE(4) === 2) return quote;
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(2, 4);
  header.writeBigUInt64LE(BigInt(quote.length), 8);
  return Buffer.concat([header, quote]);
}
