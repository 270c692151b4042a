import { resolve } from 'node:path';
import type { TokenCredential } from '@azure/identity';
import { isVaultError, VaultError } from '../errors.js';
import type { AzureConnectionConfig } from '../registry/vaults-config.js';
import { authorityOf } from './clouds.js';
import { makeCredential } from './identity.js';
import { makeTransport, type Transport } from './transport.js';

/** What a client of one vault needs: who we are and how to get there. */
export interface AzureConnection {
  readonly vaultUrl: string;
  readonly credential: TokenCredential;
  readonly transport: Transport;
  readonly identityTransport: Transport;
  readonly timeoutMs: number;
}

/**
 * Prepares a connection; nothing is sent yet.
 * @param name of the vault, for messages
 * @param baseDir folder against which relative paths of the settings are resolved
 * @throws VaultError VAULT_MISCONFIGURED
 */
export async function openConnection(
  name: string,
  settings: AzureConnectionConfig,
  baseDir: string,
): Promise<AzureConnection> {
  try {
    const caFile = settings.caFile === undefined ? {} : { caFile: resolve(baseDir, settings.caFile) };
    const connect = settings.connectAddress === undefined ? {} : { connectAddress: settings.connectAddress };
    const authorityHost = authorityOf(settings, process.env);
    const identity = { ...settings.identity, ...(authorityHost === undefined ? {} : { authorityHost }) };
    // The authority is another host: an address that stands in for the vault's must not be dialled for it.
    const identityTransport = makeTransport(caFile);
    return {
      vaultUrl: settings.url,
      credential: await makeCredential(identity, identityTransport, name),
      identityTransport,
      transport: makeTransport({ ...caFile, ...connect }),
      timeoutMs: settings.timeoutSeconds * 1_000,
    };
  } catch (error) {
    if (!isVaultError(error)) throw error;
    throw new VaultError(
      error.code,
      `vault "${name}": ${error.message}`,
      { ...error.details, vault: name },
      { cause: error },
    );
  }
}
