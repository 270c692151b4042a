import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PkiError } from './pki-error.js';

/** Upper bound of a file with key material, in octets. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/**
 * Creates a file with mode 0600 that appears whole or not at all, and durably: written and fsynced under another
 * name, then linked to its own, then the directory is fsynced. Never overwrites: KEY_FILE_EXISTS when the name is
 * taken, so of several processes that start at once exactly one creates the key. Throws KEY_FILE_IO otherwise.
 * Needs a file system with hard links.
 */
export async function createKeyFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    if (errno(cause) === 'EEXIST') throw new PkiError('KEY_FILE_EXISTS', path, { cause });
    throw new PkiError('KEY_FILE_IO', path, { cause });
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

/**
 * Reads a file with key material through one handle, after checking that it is a regular file that neither group
 * nor others may access. Throws KEY_FILE_NOT_FOUND, KEY_FILE_PERMISSIONS, KEY_FILE_INVALID or KEY_FILE_IO.
 */
export async function readKeyFile(path: string): Promise<string> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { mode, size } = await handle.stat().then((stat) => {
        if (!stat.isFile()) throw new PkiError('KEY_FILE_INVALID', `${path} is not a file`);
        return stat;
      });
      if ((mode & 0o077) !== 0)
        throw new PkiError('KEY_FILE_PERMISSIONS', `${path} has mode ${(mode & 0o777).toString(8)}`);
      if (size > MAX_KEY_FILE_BYTES) throw new PkiError('KEY_FILE_INVALID', `${path} is too large`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    if (errno(cause) === 'ENOENT') throw new PkiError('KEY_FILE_NOT_FOUND', path, { cause });
    throw new PkiError('KEY_FILE_IO', path, { cause });
  }
}

/** Makes a directory with mode 0700 where there is none; KEY_FILE_IO. */
export async function makeKeyDirectory(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PkiError('KEY_FILE_IO', dir, { cause });
  }
}

/** The names in a directory, sorted; KEY_FILE_IO. */
export async function listKeyDirectory(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (cause) {
    throw new PkiError('KEY_FILE_IO', dir, { cause });
  }
}

/** Makes a creation or removal in the directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The errno name of a system error. By shape, because a test's realm has another Error than Node's own modules. */
export function errno(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
