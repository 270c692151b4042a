import type { PublishedFiles } from '#auditor';
import { TransparencyError } from '#transparency';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CliError } from '../failure/cli-error.js';
import type { ClientIdentity } from '../http/api-client.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** A published log in a folder or below an address, e.g. `…/v1/logs/default`; paths are those of C2SP tlog-tiles. */
export interface PublishedLog extends PublishedFiles {
  close(): Promise<void>;
}

export interface PublishedLogOptions {
  readonly timeoutMs: number;
  /** Bearer token: the audit service shows entry bundles only with it. */
  readonly token?: string | undefined;
  readonly caPem?: string | undefined;
  readonly client?: ClientIdentity | undefined;
}

export async function openPublishedLog(
  where: string,
  options: PublishedLogOptions,
  terminal: Terminal,
): Promise<PublishedLog> {
  return /^https?:\/\//.test(where)
    ? httpLog(where.replace(/\/+$/, ''), options)
    : folderLog(resolve(terminal.cwd, where));
}

function folderLog(folder: string): PublishedLog {
  return {
    async read(path) {
      try {
        const bytes = await readFile(join(folder, path));
        if (bytes.length > MAX_FILE_BYTES) throw CliError.of('FILE_TOO_LARGE', `"${path}" is too large.`);
        return bytes;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        if (error instanceof CliError) throw error;
        throw CliError.of('FILE_UNREADABLE', `"${join(folder, path)}" cannot be read (${code}).`, {
          cause: error,
        });
      }
    },
    close: () => Promise.resolve(),
  };
}

async function httpLog(
  base: string,
  { timeoutMs, token, caPem, client }: PublishedLogOptions,
): Promise<PublishedLog> {
  const undici = await import('undici');
  const agent = new undici.Agent({
    connections: 4,
    connect: { timeout: timeoutMs, ...(caPem === undefined ? {} : { ca: caPem }), ...client },
  });
  return {
    async read(path) {
      try {
        const { statusCode, body } = await undici.request(`${base}/${path}`, {
          dispatcher: agent,
          signal: AbortSignal.timeout(timeoutMs),
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        });
        const bytes = await bounded(body);
        if (statusCode === 200) return bytes;
        if (statusCode === 404) return undefined;
        if (statusCode === 401 || statusCode === 403)
          throw CliError.of(
            'CREDENTIAL_MISSING',
            'The log shows its entries only to a credential with the role auditor for its tenant.',
          );
        throw CliError.of('SERVICE_ANSWER_INVALID', `${base}/${path} was answered with ${statusCode}.`);
      } catch (error) {
        if (error instanceof CliError || error instanceof TransparencyError) throw error;
        throw CliError.of('SERVICE_UNREACHABLE', `${base} cannot be reached: ${(error as Error).message}.`, {
          cause: error,
        });
      }
    },
    close: () => agent.destroy(),
  };
}

async function bounded(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_FILE_BYTES)
      throw CliError.of('SERVICE_ANSWER_INVALID', 'An answer of the log is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
