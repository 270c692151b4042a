import { resolve } from 'node:path';
import { AzureKeyVault } from '../azure/azure-key-vault.js';
import { openConnection } from '../azure/connection.js';
import type { Clock } from '../clock.js';
import { EmbeddedVault } from '../embedded/embedded-vault.js';
import { VaultError } from '../errors.js';
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
  /** Name of the vault in Azure: the first label of its host, in lower case. */
  readonly azureName?: string;
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
          const writable = await openAzure(name, settings, options);
          vaults.set(name, {
            source: new CachingReader(writable, { ...settings.reader, ...clock }),
            writable,
            azureName: new URL(settings.url).hostname.split('.')[0]!.toLowerCase(),
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

  /** The configured names of a vault that Azure knows under `azureName`, as its notifications say it. */
  namesOf(azureName: string): string[] {
    const wanted = azureName.toLowerCase();
    return [...this.vaults].filter(([, vault]) => vault.azureName === wanted).map(([name]) => name);
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

async function openAzure(
  name: string,
  settings: AzureVaultConfig,
  options: VaultRegistryOptions,
): Promise<AzureKeyVault> {
  return new AzureKeyVault({
    name,
    ...(await openConnection(name, settings, options.baseDir)),
    ...(settings.probeSecret === undefined ? {} : { probeSecret: settings.probeSecret }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
}
