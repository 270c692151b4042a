import type { TokenCredential } from '@azure/identity';
import type {
  KeyVaultSecret,
  SecretClient,
  SecretProperties as AzureSecretProperties,
} from '@azure/keyvault-secrets';
import { readCertificateBundle } from '../certificate/certificate-bundle.js';
import { SYSTEM_CLOCK, type Clock } from '../clock.js';
import { decodeStored, encodeStored } from '../content-type.js';
import { VaultError, type VaultErrorDetails } from '../errors.js';
import { checkObjectName, checkObjectVersion } from '../object-names.js';
import { checkProperties } from '../secret-properties.js';
import type {
  CertificateValue,
  ObjectRef,
  ReadOptions,
  SecretProperties,
  SecretValue,
  SetSecretProperties,
  UpdateSecretProperties,
  VaultHealth,
  WritableSecretSource,
} from '../secret-source.js';
import { checkWindow } from '../validity.js';
import { AzureCalls, type CallResult } from './azure-calls.js';
import type { Transport } from './transport.js';

/** The version of the service that this code is written against; emulators and sovereign clouds know it. */
export const KEY_VAULT_API_VERSION = '2025-07-01';

export interface AzureKeyVaultOptions {
  readonly name: string;
  /** `https://<vault>.vault.azure.net`, or of another cloud. */
  readonly vaultUrl: string;
  readonly credential: TokenCredential;
  readonly transport: Transport;
  /** What the credential uses; closed together with the vault. */
  readonly identityTransport?: Transport;
  /** Milliseconds for one operation with its token. Default 10,000. */
  readonly timeoutMs?: number;
  /** Name that `check` asks for. It need not exist: "not found" proves that the identity may read. Default `siegel-health-probe`. */
  readonly probeSecret?: string;
  readonly clock?: Clock;
}

/** Azure Key Vault through its SDK, whose verification of the authentication challenge stays on. One call, one request. */
export class AzureKeyVault implements WritableSecretSource {
  readonly kind = 'azure';
  readonly name: string;
  private opened: Promise<SecretClient> | undefined;
  private readonly calls: AzureCalls;
  private readonly clock: Clock;

  constructor(private readonly options: AzureKeyVaultOptions) {
    this.name = options.name;
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.calls = new AzureCalls(options.timeoutMs ?? 10_000);
  }

  async getSecret(ref: ObjectRef, options: ReadOptions = {}): Promise<SecretValue> {
    const { value: secret, requestId, details } = await this.read(ref, options, false);
    const { contentType, updatedOn } = secret.properties;
    const window = this.admit(secret, `secret "${ref.objectName}"`, details, options);
    return {
      value: decodeStored(secret.value ?? '', contentType, details),
      version: details.objectVersion ?? '',
      ...(contentType === undefined ? {} : { contentType }),
      ...window,
      ...(updatedOn === undefined ? {} : { updatedOn }),
      ...(requestId === undefined ? {} : { requestId }),
    };
  }

  /** Certificate and key come in one secret of one version, so they cannot be torn by a renewal between two reads. */
  async getCertificate(ref: ObjectRef, options: ReadOptions = {}): Promise<CertificateValue> {
    const { value: secret, requestId, details } = await this.read(ref, options, true);
    const what = `certificate "${ref.objectName}"`;
    const { enabled } = this.admit(secret, what, details, options);
    const { contentType } = secret.properties;
    const bytes = decodeStored(secret.value ?? '', contentType, details);
    try {
      const certificate = readCertificateBundle(bytes, contentType, details);
      const window = { enabled, notBefore: certificate.notBefore, expiresOn: certificate.notAfter };
      checkWindow(window, this.clock.now(), what, details, options.allowExpired);
      return {
        ...certificate,
        version: details.objectVersion ?? '',
        enabled,
        ...(requestId === undefined ? {} : { requestId }),
      };
    } finally {
      bytes.fill(0);
    }
  }

  async *listSecrets(options: { signal?: AbortSignal } = {}): AsyncIterable<SecretProperties> {
    yield* this.pages(
      (client) => client.listPropertiesOfSecrets(abortOf(options.signal)).byPage(),
      `list of "${this.name}"`,
    );
  }

  async *listVersions(name: string): AsyncIterable<SecretProperties> {
    checkObjectName(name, this.name);
    const versions: AzureSecretProperties[] = [];
    const what = `versions of "${name}"`;
    await this.calls.guard(what, { vault: this.name, objectName: name }, async () => {
      const client = await this.client();
      for await (const properties of client.listPropertiesOfSecretVersions(name)) versions.push(properties);
    });
    versions.sort((a, b) => (a.createdOn?.getTime() ?? 0) - (b.createdOn?.getTime() ?? 0));
    yield* versions.map(toProperties);
  }

  async setSecret(
    name: string,
    value: string | Uint8Array,
    properties: SetSecretProperties = {},
  ): Promise<SecretProperties> {
    const details = { vault: this.name, objectName: name };
    checkObjectName(name, this.name);
    checkProperties(properties, details);
    const stored = encodeStored(value, properties.contentType, details);
    const { tags, ...rest } = properties;
    const result = await this.calls.run(`set "${name}"`, details, {}, async (call) =>
      (await this.client()).setSecret(name, stored, {
        ...call,
        ...rest,
        ...(tags === undefined ? {} : { tags: { ...tags } }),
      }),
    );
    return toProperties(result.value.properties);
  }

  async updateSecret(ref: ObjectRef, properties: UpdateSecretProperties): Promise<SecretProperties> {
    this.checkRef(ref);
    const details = this.detailsOf(ref);
    checkProperties(properties, details);
    const { tags, ...rest } = properties;
    const changes = { ...rest, ...(tags === undefined ? {} : { tags: { ...tags } }) };
    const result = await this.calls.run(`update "${ref.objectName}"`, details, {}, async (call) =>
      (await this.client()).updateSecretProperties(ref.objectName, ref.objectVersion ?? '', {
        ...call,
        ...changes,
      }),
    );
    return toProperties(result.value);
  }

  /** Returns when the vault has finished: the name is then readable only as a deleted secret. */
  async deleteSecret(name: string): Promise<void> {
    checkObjectName(name, this.name);
    await this.calls.guard(`delete "${name}"`, { vault: this.name, objectName: name }, async () => {
      const client = await this.client();
      const poller = await client.beginDeleteSecret(name, { intervalInMs: 500 });
      await poller.pollUntilDone();
    });
  }

  async recoverSecret(name: string): Promise<void> {
    checkObjectName(name, this.name);
    await this.calls.guard(`recover "${name}"`, { vault: this.name, objectName: name }, async () => {
      const client = await this.client();
      const poller = await client.beginRecoverDeletedSecret(name, { intervalInMs: 500 });
      await poller.pollUntilDone();
    });
  }

  async purgeSecret(name: string): Promise<void> {
    checkObjectName(name, this.name);
    const details = { vault: this.name, objectName: name };
    await this.calls.run(`purge "${name}"`, details, {}, async (call) =>
      (await this.client()).purgeDeletedSecret(name, call),
    );
  }

  async check(options: { signal?: AbortSignal } = {}): Promise<VaultHealth> {
    const start = this.clock.monotonic();
    const objectName = this.options.probeSecret ?? 'siegel-health-probe';
    const health = (requestId?: string): VaultHealth => ({
      ok: true,
      latencyMs: this.clock.monotonic() - start,
      ...(requestId === undefined ? {} : { requestId }),
    });
    try {
      const { requestId } = await this.read({ objectName }, options, false);
      return health(requestId);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      const { code, message, remedy, details } = error;
      // Key Vault authorizes before it looks: both answers prove that this identity may read.
      if (code === 'SECRET_NOT_FOUND' || code === 'SECRET_DISABLED') return health(details.requestId);
      return {
        ok: false,
        code,
        message,
        remedy,
        ...(details.requestId === undefined ? {} : { requestId: details.requestId }),
      };
    }
  }

  async close(): Promise<void> {
    this.calls.close();
    this.options.transport.close();
    this.options.identityTransport?.close();
  }

  /** Loaded with the first call, as a deployment may never make one. */
  private client(): Promise<SecretClient> {
    const { vaultUrl, credential, transport } = this.options;
    return (this.opened ??= import('@azure/keyvault-secrets').then(
      (sdk) =>
        new sdk.SecretClient(vaultUrl, credential, {
          serviceVersion: KEY_VAULT_API_VERSION,
          additionalPolicies: transport.policies,
          // The reader owns back-off; the SDK does not retry the 429 that Key Vault sends (no Retry-After) anyway.
          retryOptions: { maxRetries: 1, retryDelayInMs: 100, maxRetryDelayInMs: 500 },
        }),
    ));
  }

  private async read(
    ref: ObjectRef,
    options: ReadOptions,
    asPem: boolean,
  ): Promise<CallResult<KeyVaultSecret> & { details: VaultErrorDetails }> {
    this.checkRef(ref);
    const details = this.detailsOf(ref);
    const result = await this.calls.run(
      `get "${ref.objectName}" from "${this.name}"`,
      details,
      options,
      async (call) =>
        (await this.client()).getSecret(ref.objectName, {
          ...call,
          ...(ref.objectVersion === undefined ? {} : { version: ref.objectVersion }),
          ...(asPem ? { outContentType: 'application/x-pem-file' } : {}),
        }),
    );
    const { version } = result.value.properties;
    if (version === undefined || (ref.objectVersion !== undefined && version !== ref.objectVersion)) {
      throw new VaultError('VAULT_REFUSED', `the vault answered with version ${version ?? 'none'}`, details);
    }
    const requestId = result.requestId === undefined ? {} : { requestId: result.requestId };
    return { ...result, details: { ...details, objectVersion: version, ...requestId } };
  }

  private admit(
    secret: KeyVaultSecret,
    what: string,
    details: VaultErrorDetails,
    options: ReadOptions,
  ): { enabled: boolean; notBefore?: Date; expiresOn?: Date } {
    const { enabled = true, notBefore, expiresOn } = secret.properties;
    const window = {
      enabled,
      ...(notBefore === undefined ? {} : { notBefore }),
      ...(expiresOn === undefined ? {} : { expiresOn }),
    };
    checkWindow(window, this.clock.now(), what, details, options.allowExpired);
    return window;
  }

  private async *pages(
    open: (client: SecretClient) => AsyncIterable<AzureSecretProperties[]>,
    what: string,
  ): AsyncIterable<SecretProperties> {
    const iterator = open(await this.client())[Symbol.asyncIterator]();
    for (;;) {
      const page = await this.calls.guard(what, { vault: this.name }, () => iterator.next());
      if (page.done === true) return;
      yield* page.value.map(toProperties);
    }
  }

  private checkRef(ref: ObjectRef): void {
    checkObjectName(ref.objectName, this.name);
    if (ref.objectVersion !== undefined) checkObjectVersion(ref.objectVersion, this.name);
  }

  private detailsOf(ref: ObjectRef): VaultErrorDetails {
    const version = ref.objectVersion === undefined ? {} : { objectVersion: ref.objectVersion };
    return { vault: this.name, objectName: ref.objectName, ...version };
  }
}

const abortOf = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };

const toProperties = (properties: AzureSecretProperties): SecretProperties => ({
  name: properties.name,
  enabled: properties.enabled ?? true,
  ...(properties.version === undefined ? {} : { version: properties.version }),
  ...(properties.contentType === undefined ? {} : { contentType: properties.contentType }),
  ...(properties.notBefore === undefined ? {} : { notBefore: properties.notBefore }),
  ...(properties.expiresOn === undefined ? {} : { expiresOn: properties.expiresOn }),
  ...(properties.updatedOn === undefined ? {} : { updatedOn: properties.updatedOn }),
  ...(properties.tags === undefined ? {} : { tags: properties.tags }),
});
