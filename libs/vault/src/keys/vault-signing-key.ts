import type { KeyClient, KeyProperties, KeyVaultKey } from '@azure/keyvault-keys';
import { AzureCalls } from '../azure/azure-calls.js';
import { KEY_VAULT_API_VERSION } from '../azure/azure-key-vault.js';
import { openConnection, type AzureConnection } from '../azure/connection.js';
import { SYSTEM_CLOCK, type Clock } from '../clock.js';
import { isVaultError, VaultError, type VaultErrorDetails } from '../errors.js';
import { ReadGate } from '../reader/read-gate.js';
import { ReaderSettings } from '../reader/reader-options.js';
import { KeyVaultSigner } from './key-vault-signer.js';
import { KnownVersionsFile } from './known-versions.js';
import type { VaultKeyConfig } from './signers-config.js';

export interface VaultKeyVersion {
  readonly signer: KeyVaultSigner;
  readonly version: string;
  readonly createdOn: Date;
}

export interface VaultSigningKeyOptions {
  readonly baseDir: string;
  readonly clock?: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: () => number;
  /** Where the public halves are remembered for a start without the vault; its folder exists. */
  readonly cacheFile?: string;
}

/** Older versions than this many do not verify anything that still lives. */
const MAX_VERSIONS = 8;

/**
 * A key of a vault with its usable versions: enabled, and within their window. New versions are found by `refresh`, which a slow poll
 * calls and, where there is one, a hint.
 */
export class VaultSigningKey {
  private known: readonly VaultKeyVersion[] = [];
  private refreshing: Promise<boolean> | undefined;
  private readonly closing = new AbortController();

  private constructor(
    private readonly config: VaultKeyConfig,
    private readonly connection: AzureConnection,
    private readonly sdk: typeof import('@azure/keyvault-keys'),
    private readonly client: KeyClient,
    private readonly calls: AzureCalls,
    private readonly gate: ReadGate,
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly file: KnownVersionsFile | undefined,
  ) {}

  /** Connects and reads the versions; while the vault is out of reach, takes the remembered ones. @throws VaultError KEY_NOT_FOUND when none is usable, and every code of the vault */
  static async open(config: VaultKeyConfig, options: VaultSigningKeyOptions): Promise<VaultSigningKey> {
    const { clock = SYSTEM_CLOCK, random = Math.random } = options;
    const name = new URL(config.vault.url).hostname;
    const connection = await openConnection(name, config.vault, options.baseDir);
    const settings = ReaderSettings.parse({
      readsPer10Seconds: config.operationsPer10Seconds,
      readTimeoutSeconds: config.vault.timeoutSeconds,
    });
    const sdk = await import('@azure/keyvault-keys');
    const client = new sdk.KeyClient(config.vault.url, connection.credential, clientOptions(connection));
    const key = new VaultSigningKey(
      config,
      connection,
      sdk,
      client,
      new AzureCalls(connection.timeoutMs),
      new ReadGate(name, settings, clock, random),
      clock,
      random,
      options.cacheFile === undefined
        ? undefined
        : new KnownVersionsFile(options.cacheFile, config.vault.url, config.keyName),
    );
    try {
      await key.first();
      if (key.known.length === 0) throw key.missing();
    } catch (error) {
      key.close();
      throw error;
    }
    return key;
  }

  get keyName(): string {
    return this.config.keyName;
  }

  /** Name of the vault in Azure. */
  get azureName(): string {
    return new URL(this.config.vault.url).hostname.split('.')[0]!.toLowerCase();
  }

  /** Usable versions, oldest first. */
  get versions(): readonly VaultKeyVersion[] {
    return this.known;
  }

  /** The newest usable version. @throws VaultError KEY_NOT_FOUND when the last one was disabled or has expired */
  current(): KeyVaultSigner {
    const newest = this.known.at(-1);
    if (newest === undefined) throw this.missing();
    return newest.signer;
  }

  /** Reads the versions again; true when they changed. Calls at the same time share one look. @throws VaultError */
  refresh(): Promise<boolean> {
    this.refreshing ??= this.read().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /** Looks for changes until closed: every `pollSeconds` at most, and down to 80 % of that. */
  watch(onLook: (changed: boolean) => Promise<void> | void, onError: (error: unknown) => void): void {
    void (async () => {
      while (!this.closing.signal.aborted) {
        const wait = this.config.pollSeconds * 1_000 * (0.8 + 0.2 * this.random());
        try {
          await this.clock.sleep(wait, this.closing.signal);
        } catch {
          return;
        }
        try {
          await onLook(await this.refresh());
        } catch (error) {
          if (!this.closing.signal.aborted) onError(error);
        }
      }
    })();
  }

  close(): void {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    this.calls.close();
    this.connection.transport.close();
    this.connection.identityTransport.close();
  }

  private async first(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      if (!isVaultError(error) || !error.outage) throw error;
      const remembered = await this.file?.read();
      if (remembered === undefined) throw error;
      this.known = remembered.map(({ key, createdOn }) => this.versionOf(key, createdOn));
    }
  }

  private async read(): Promise<boolean> {
    const wanted = await this.usable();
    const versions: VaultKeyVersion[] = [];
    for (const { version, createdOn } of wanted) {
      const found = this.known.find((known) => known.version === version);
      versions.push(found ?? (await this.load(version, createdOn)));
    }
    const changed = versions.map(({ version }) => version).join() !== this.known.map((k) => k.version).join();
    this.known = versions;
    if (changed && versions.length > 0)
      await this.file?.write(versions.map(({ signer, createdOn }) => ({ key: signer.key, createdOn })));
    return changed;
  }

  private async usable(): Promise<{ version: string; createdOn: Date | undefined }[]> {
    const { keyName, keyVersion } = this.config;
    if (keyVersion !== undefined) {
      const { properties } = await this.get(keyVersion);
      return this.isUsable(properties) ? [{ version: keyVersion, createdOn: properties.createdOn }] : [];
    }
    const listed = await this.gated(`versions of key "${keyName}"`, async () => {
      const all: KeyProperties[] = [];
      for await (const properties of this.client.listPropertiesOfKeyVersions(keyName)) all.push(properties);
      return all;
    });
    return listed
      .filter((properties) => this.isUsable(properties))
      .map(({ version = '', createdOn }, index) => ({ version, createdOn, index }))
      .sort((a, b) => (a.createdOn?.getTime() ?? 0) - (b.createdOn?.getTime() ?? 0) || a.index - b.index)
      .slice(-MAX_VERSIONS);
  }

  private isUsable({ enabled, notBefore, expiresOn }: KeyProperties): boolean {
    const now = this.clock.now();
    const begun = notBefore === undefined || notBefore.getTime() <= now;
    return enabled !== false && begun && (expiresOn === undefined || now < expiresOn.getTime());
  }

  private async load(version: string, createdOn: Date | undefined): Promise<VaultKeyVersion> {
    const key = await this.get(version);
    return this.versionOf(key, createdOn ?? key.properties.createdOn ?? new Date(0));
  }

  private versionOf(key: KeyVaultKey, createdOn: Date): VaultKeyVersion {
    const { credential } = this.connection;
    const signer = new KeyVaultSigner({
      vault: this.connection.vaultUrl,
      key,
      client: new this.sdk.CryptographyClient(key, credential, clientOptions(this.connection)),
      calls: this.calls,
      gate: this.gate,
      closing: this.closing.signal,
    });
    return { signer, version: signer.version, createdOn };
  }

  private get(version: string) {
    const { keyName } = this.config;
    return this.gated(`get key "${keyName}"`, async (signal) => {
      const details = { ...this.details(), objectVersion: version };
      const { value } = await this.calls.run(`get key "${keyName}"`, details, { signal }, (call) =>
        this.client.getKey(keyName, { ...call, version }),
      );
      return value;
    });
  }

  private async gated<T>(what: string, read: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const { value } = await this.gate.run(
        (signal) => this.calls.guard(what, this.details(), () => read(signal)),
        this.closing.signal,
        { sent: () => undefined, failed: () => undefined },
      );
      return value;
    } catch (error) {
      // Where only the status tells: what was not found here is a key.
      if (!isVaultError(error) || error.code !== 'SECRET_NOT_FOUND') throw error;
      throw new VaultError('KEY_NOT_FOUND', error.message, error.details, { cause: error });
    }
  }

  private missing(): VaultError {
    return new VaultError(
      'KEY_NOT_FOUND',
      `key "${this.config.keyName}" has no version that is enabled and valid now`,
      this.details(),
    );
  }

  private details(): VaultErrorDetails {
    return { vault: this.connection.vaultUrl, objectName: this.config.keyName };
  }
}

const clientOptions = (connection: AzureConnection) =>
  ({
    serviceVersion: KEY_VAULT_API_VERSION,
    additionalPolicies: connection.transport.policies,
    retryOptions: { maxRetries: 1, retryDelayInMs: 100, maxRetryDelayInMs: 500 },
  }) as const;
