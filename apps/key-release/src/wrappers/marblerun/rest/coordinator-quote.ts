import { SiegelError } from '#contracts';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CoordinatorQuoteProvider } from '../interface.js';
import type { QuoteConfig } from '../state/deployments-file.js';

const MAX_QUOTE_BYTES = 32 * 1024;
const EXEC_TIMEOUT_MS = 10_000;
const MAX_WAITING = 64;
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

/** Quotes one after another, as they are one enclave's; anybody may ask for one, so that only so many wait. */
abstract class QueuedQuotes implements CoordinatorQuoteProvider {
  private last: Promise<unknown> = Promise.resolve();
  private waiting = 0;

  /** @throws SiegelError OVERLOADED */
  async quote(reportData: Buffer): Promise<Buffer> {
    if (this.waiting >= MAX_WAITING) throw new SiegelError('OVERLOADED');
    this.waiting++;
    const made = this.last.then(() => this.make(padded(reportData)));
    this.last = made.catch(() => undefined);
    try {
      return withHeader(bounded(await made));
    } finally {
      this.waiting--;
    }
  }

  /** A quote over these 64 bytes. */
  protected abstract make(reportData: Buffer): Promise<Buffer>;
}

/** Gramine's pseudo files: the report data is written, then the quote of it read (reference §2.3). */
class GramineQuotes extends QueuedQuotes {
  constructor(private readonly dir: string) {
    super();
  }

  protected async make(reportData: Buffer): Promise<Buffer> {
    await writeFile(join(this.dir, 'user_report_data'), reportData);
    return readFile(join(this.dir, 'quote'));
  }
}

/** A program that gets 64 bytes of report data as hex in its last argument and writes the bare quote to its output. */
class ProgramQuotes extends QueuedQuotes {
  constructor(private readonly command: readonly string[]) {
    super();
  }

  protected async make(reportData: Buffer): Promise<Buffer> {
    const [file, ...args] = this.command as [string, ...string[]];
    const { stdout } = await run(file, [...args, reportData.toString('hex')], {
      encoding: 'buffer',
      timeout: EXEC_TIMEOUT_MS,
      maxBuffer: MAX_QUOTE_BYTES + 1,
      env: {},
    });
    return stdout;
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
