import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';

/** What was read; `truncated` if there was more than the limit (then `bytes` has limit + 1 bytes). */
export interface BoundedInput {
  readonly bytes: Buffer;
  readonly truncated: boolean;
}

/**
 * Reads at most `limit` + 1 bytes of a file, or of standard input where `name` is `-`.
 * @throws CliError FILE_NOT_FOUND, FILE_UNREADABLE
 */
export async function readBounded(name: string, limit: number, terminal: Terminal): Promise<BoundedInput> {
  const bytes =
    name === '-' ? await readStream(terminal.stdin, limit) : await readFile(name, limit, terminal.cwd);
  return { bytes, truncated: bytes.length > limit };
}

/**
 * As {@link readBounded}, for input whose size is a matter of usage.
 * @throws CliError FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE
 */
export async function readWhole(name: string, limit: number, terminal: Terminal): Promise<Buffer> {
  const { bytes, truncated } = await readBounded(name, limit, terminal);
  if (truncated) throw CliError.of('FILE_TOO_LARGE', `${named(name)} is larger than ${limit} bytes.`);
  return bytes;
}

async function readFile(name: string, limit: number, cwd: string): Promise<Buffer> {
  let handle;
  try {
    handle = await open(resolve(cwd, name), 'r');
    // A read over a device or a FIFO ends at the limit as well.
    const buffer = Buffer.allocUnsafe(limit + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return Buffer.from(buffer.subarray(0, length));
  } catch (error) {
    throw unreadable(name, error);
  } finally {
    await handle?.close();
  }
}

async function readStream(stream: Terminal['stdin'], limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      const bytes = Buffer.from(chunk as string);
      chunks.push(bytes);
      length += bytes.length;
      if (length > limit) break;
    }
  } catch (error) {
    throw unreadable('-', error);
  }
  return Buffer.concat(chunks).subarray(0, limit + 1);
}

function unreadable(name: string, error: unknown): CliError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT')
    return CliError.of('FILE_NOT_FOUND', `${named(name)} does not exist.`, { cause: error });
  const why =
    code === 'EISDIR'
      ? 'is a folder, not a file'
      : code === 'EACCES' || code === 'EPERM'
        ? 'may not be read by you'
        : `cannot be read (${code ?? 'unknown reason'})`;
  return CliError.of('FILE_UNREADABLE', `${named(name)} ${why}.`, { cause: error });
}

export const named = (name: string): string => (name === '-' ? 'Standard input' : `"${name}"`);
