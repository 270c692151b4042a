import { createKeyFile, isPkiError, readKeyFile } from '#pki';
import { ConfigurationError } from '#platform';
import { isVaultError, type VaultRegistry } from '#vault';
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SealKeyConfig } from './deployments-file.js';

const BYTES = 32;

/**
 * The key that wraps a deployment's sealing key: from a file, which is made where it is missing, or from a secret of a vault, so that the
 * state can move to another machine. It takes the place of an enclave's seal key.
 * @throws ConfigurationError for a key of another kind; VaultError where the vault does not answer
 */
export async function wrappingKey(
  config: SealKeyConfig,
  vaults: Pick<VaultRegistry, 'get'>,
): Promise<Buffer> {
  if (config.kind === 'vault') return fromVault(config, vaults);
  try {
    return decode(await readKeyFile(config.path), config.path);
  } catch (error) {
    if (!isPkiError(error, 'KEY_FILE_NOT_FOUND')) throw error;
  }
  await mkdir(dirname(config.path), { recursive: true, mode: 0o700 });
  try {
    await createKeyFile(config.path, `${randomBytes(BYTES).toString('base64')}\n`);
  } catch (error) {
    // Another process of the same deployment was first; its key is the key.
    if (!isPkiError(error, 'KEY_FILE_EXISTS')) throw error;
  }
  return decode(await readKeyFile(config.path), config.path);
}

async function fromVault(
  { vault, objectName, objectVersion }: Extract<SealKeyConfig, { kind: 'vault' }>,
  vaults: Pick<VaultRegistry, 'get'>,
): Promise<Buffer> {
  try {
    const secret = await vaults
      .get(vault)
      .getSecret({ objectName, ...(objectVersion === undefined ? {} : { objectVersion }) });
    const key = decode(secret.value.toString('utf8'), `${vault}/${objectName}`);
    secret.value.fill(0);
    return key;
  } catch (error) {
    if (isVaultError(error) && /UNKNOWN|NOT_FOUND/.test(error.code)) refuse(`sealKey: ${error.message}`);
    throw error;
  }
}

function decode(text: string, source: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== BYTES || key.toString('base64') !== text.trim())
    refuse(`sealKey: ${source} is not the base64 of ${BYTES} bytes`);
  return key;
}

function refuse(message: string): never {
  throw new ConfigurationError([{ variable: 'SIEGEL_MARBLERUN_FILE', message }]);
}
