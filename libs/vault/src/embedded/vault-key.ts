import { createHmac, createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { VaultError } from '../errors.js';
import { syncDirectory } from './durable-file.js';

const KEY_BYTES = 32;

/** Keys derived from the 32 bytes of the key file, one for each use. */
export interface VaultKeys {
  /** Held by OpenSSL, which wipes it when it is let go; with plain bytes each decryption costs six times as much. */
  readonly record: KeyObject;
  readonly seal: Buffer;
  /** Tells a wrong key file from a tampered vault, without giving anything of the key away. */
  check(vaultId: string): string;
  wipe(): void;
}

/**
 * Reads the key file, or creates it where that is allowed.
 * @throws VaultError VAULT_KEY_INVALID
 */
export async function loadVaultKeys(keyFile: string, create: boolean): Promise<VaultKeys> {
  if (create) await createKeyFile(keyFile);
  const secret = await readKeyFile(keyFile);
  const derive = (info: string): Buffer =>
    Buffer.from(hkdfSync('sha256', secret, '', `siegel embedded vault v1 ${info}`, KEY_BYTES));
  const record = derive('record');
  const keys = { record: createSecretKey(record), seal: derive('seal') };
  record.fill(0);
  const checkKey = derive('check');
  secret.fill(0);
  return {
    ...keys,
    check: (vaultId) => createHmac('sha256', checkKey).update(vaultId).digest('hex').slice(0, 32),
    wipe: () => [keys.seal, checkKey].forEach((key) => key.fill(0)),
  };
}

async function readKeyFile(keyFile: string): Promise<Buffer> {
  const invalid = (message: string, cause?: unknown): VaultError =>
    new VaultError('VAULT_KEY_INVALID', message, {}, cause === undefined ? undefined : { cause });
  let bytes: Buffer;
  try {
    const status = await stat(keyFile);
    if ((status.mode & 0o077) !== 0) {
      throw invalid(`key file ${keyFile} is accessible to others than its owner: it must have mode 0600`);
    }
    if (status.size !== KEY_BYTES)
      throw invalid(`key file ${keyFile} has ${status.size} bytes instead of 32`);
    bytes = await readFile(keyFile);
  } catch (error) {
    if (error instanceof VaultError) throw error;
    throw invalid(`key file ${keyFile} cannot be read: ${(error as Error).message}`, error);
  }
  if (bytes.length !== KEY_BYTES)
    throw invalid(`key file ${keyFile} has ${bytes.length} bytes instead of 32`);
  return bytes;
}

/**
 * Creates the key under a temporary name and links it to its own: the name never shows a partial key, and of two
 * processes that start at once both continue with the key of the one that came first.
 */
async function createKeyFile(keyFile: string): Promise<void> {
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
  const temporary = join(dirname(keyFile), `.key-${randomBytes(8).toString('hex')}`);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    const secret = randomBytes(KEY_BYTES);
    await handle.writeFile(secret);
    secret.fill(0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(temporary, keyFile);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(temporary);
  }
  await syncDirectory(dirname(keyFile));
}
