import { resolve } from 'node:path';
import { AzureKeyVault } from '../azure/azure-key-vault.js';
import { AZURE_CLOUDS, cloudOf } from '../azure/clouds.js';
import { makeCredential } from '../azure/identity.js';
import { makeTransport } from '../azure/transport.js';
import type { Clock } from '../clock.js';
import { EmbeddedVault } from '../embedded/embedded-vault.js';
import { isVaultError, VaultError } from '../errors.js';
import { CachingReader, type ReaderStats } from '../reader/caching-reader.js';
import type { SecretSource, VaultHealth, WritableSecretSource } from '../secret-source.js';
import type { AzureVaultConfig, VaultsConfig } from './vaults-config.js';

export interface VaultRegistryOptions {
  /** Folder against which relative paths of the configuration are resolved. */
  readonly baseDir: string;
  readonly clock?: Clock;
}

interface RegisteredVault {
  /** What key-release reads: with cache and budget where the vault is remote. */
  readonly source: SecretSource;
  /** What administration writes. */
  readonly writable: WritableSecretSource;
}

/** The vaults of a deployment, by name. */
export class VaultRegistry {
  private constructor(private readonly vaults: ReadonlyMap<string, RegisteredVault>) {}

  /**
   * Opens every vault of the configuration. It connects to none: `checkAll` does.
   * @throws VaultError VAULT_MISCONFIGURED, or what an embedded vault says on opening
   */
  static async open(config: VaultsConfig, options: VaultRegistryOptions): Promise<VaultRegistry> {
    const vaults = new Map<string, RegisteredVault>();
    const clock = options.clock === undefined ? {} : { clock: options.clock };
    try {
      for (const [name, settings] of Object.entries(config)) {
        if (settings.kind === 'azure') {
          const writable = openAzure(name, settings, options);
          vaults.set(name, {
            source: new CachingReader(writable, { ...settings.reader, ...clock }),
            writable,
          });
        } else {
          const dir = resolve(options.baseDir, settings.dir);
          const keyFile =
            settings.keyFile === undefined ? {} : { keyFile: resolve(options.baseDir, settings.keyFile) };
          const vault = await EmbeddedVault.open({ name, dir, ...keyFile, ...clock });
          vaults.set(name, { source: vault, writable: vault });
        }
      }
    } catch (error) {
      await Promise.all([...vaults.values()].map(({ source }) => source.close()));
      throw error;
    }
    return new VaultRegistry(vaults);
  }

  get names(): readonly string[] {
    return [...this.vaults.keys()];
  }

  /** @throws VaultError VAULT_UNKNOWN */
  get(name: string): SecretSource {
    return this.find(name).source;
  }

  /** The vault itself, without a cache, for administration. @throws VaultError VAULT_UNKNOWN */
  writable(name: string): WritableSecretSource {
    return this.find(name).writable;
  }

  /** An object changed, or may have: the next read asks the vault. Unknown vaults are ignored, since it is only a hint. */
  invalidate(vault: string, objectName: string): void {
    const source = this.vaults.get(vault)?.source;
    if (source instanceof CachingReader) source.invalidate(objectName);
  }

  /** Whether each vault answers to this identity. Never throws. */
  async checkAll(): Promise<Record<string, VaultHealth>> {
    const checks = [...this.vaults].map(async ([name, { source }]) => [name, await source.check()] as const);
    return Object.fromEntries(await Promise.all(checks));
  }

  /** Counters of the vaults that have a reader. */
  stats(): Record<string, ReaderStats> {
    const readers = [...this.vaults].flatMap(([name, { source }]) =>
      source instanceof CachingReader ? [[name, source.stats()] as const] : [],
    );
    return Object.fromEntries(readers);
  }

  async close(): Promise<void> {
    await Promise.all([...this.vaults.values()].map(({ source }) => source.close()));
  }

  private find(name: string): RegisteredVault {
    const vault = this.vaults.get(name);
    if (vault !== undefined) return vault;
    const known = this.names.length === 0 ? 'none is configured' : `configured: ${this.names.join(', ')}`;
    throw new VaultError('VAULT_UNKNOWN', `no vault has the name "${name.slice(0, 80)}"; ${known}`);
  }
}

function openAzure(name: string, settings: AzureVaultConfig, options: VaultRegistryOptions): AzureKeyVault {
  try {
    const caFile = settings.caFile === undefined ? {} : { caFile: resolve(options.baseDir, settings.caFile) };
    const connect = settings.connectAddress === undefined ? {} : { connectAddress: settings.connectAddress };
    const cloud = settings.cloud ?? cloudOf(settings.url);
    // The environment of AKS workload identity names the authority too; what is configured comes first.
    const fallback = process.env['AZURE_AUTHORITY_HOST'] ?? (cloud && AZURE_CLOUDS[cloud].authorityHost);
    const authorityHost = settings.identity.authorityHost ?? fallback;
    const identity = { ...settings.identity, ...(authorityHost === undefined ? {} : { authorityHost }) };
    // The authority is another host: an address that stands in for the vault's must not be dialled for it.
    const identityTransport = makeTransport(caFile);
    return new AzureKeyVault({
      name,
      vaultUrl: settings.url,
      credential: makeCredential(identity, identityTransport, name),
      identityTransport,
      transport: makeTransport({ ...caFile, ...connect }),
      timeoutMs: settings.timeoutSeconds * 1_000,
      ...(settings.probeSecret === undefined ? {} : { probeSecret: settings.probeSecret }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
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
