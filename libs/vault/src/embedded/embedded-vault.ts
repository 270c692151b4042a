import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readCertificateBundle } from '../certificate/certificate-bundle.js';
import { SYSTEM_CLOCK, type Clock } from '../clock.js';
import { decodeStored, encodeStored } from '../content-type.js';
import { VaultError } from '../errors.js';
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
import type { RecordAttributes } from './record-cipher.js';
import type { RecordIndex } from './record-index.js';
import { VaultStore, type OpenedRecord } from './vault-store.js';

export interface EmbeddedVaultOptions {
  /** Folder of the vault; made with mode 0700 if it is not there. */
  readonly dir: string;
  /** Default `<dir>/vault.key`; on a volume of its own, a copy of the folder alone is worth nothing. */
  readonly keyFile?: string;
  /** Default `embedded`. */
  readonly name?: string;
  /** How long a writer waits for another process's write. Default 5,000. */
  readonly lockWaitMs?: number;
  readonly clock?: Clock;
}

/** Secrets in one encrypted file, for one machine. Values stay encrypted in memory and are decrypted for each read. */
export class EmbeddedVault implements WritableSecretSource {
  readonly kind = 'embedded';

  private constructor(
    readonly name: string,
    private readonly store: VaultStore,
    private readonly clock: Clock,
  ) {}

  /** @throws VaultError VAULT_KEY_INVALID, VAULT_CORRUPT, SECRET_TAMPERED, VAULT_LOCKED */
  static async open(options: EmbeddedVaultOptions): Promise<EmbeddedVault> {
    const { dir, name = 'embedded', clock = SYSTEM_CLOCK, lockWaitMs = 5_000 } = options;
    const keyFile = options.keyFile ?? join(dir, 'vault.key');
    return new EmbeddedVault(name, await VaultStore.open({ dir, keyFile, name, lockWaitMs, clock }), clock);
  }

  async getSecret(ref: ObjectRef, options: ReadOptions = {}): Promise<SecretValue> {
    const { record, attributes, value: stored } = this.find(this.store.current(), ref);
    const details = { vault: this.name, objectName: record.name, objectVersion: record.version };
    try {
      const window = windowOf(attributes);
      checkWindow(window, this.clock.now(), `secret "${record.name}"`, details, options.allowExpired);
      const value = decodeStored(stored.toString('utf8'), attributes.contentType, details);
      return {
        value,
        version: record.version,
        ...(attributes.contentType === undefined ? {} : { contentType: attributes.contentType }),
        ...window,
        updatedOn: new Date(attributes.updatedOn * 1000),
      };
    } finally {
      stored.fill(0);
    }
  }

  async getCertificate(ref: ObjectRef, options: ReadOptions = {}): Promise<CertificateValue> {
    const secret = await this.getSecret(ref, options);
    try {
      const details = { vault: this.name, objectName: ref.objectName, objectVersion: secret.version };
      const certificate = readCertificateBundle(secret.value, secret.contentType, details);
      const window = { enabled: true, notBefore: certificate.notBefore, expiresOn: certificate.notAfter };
      const what = `certificate "${ref.objectName}"`;
      checkWindow(window, this.clock.now(), what, details, options.allowExpired);
      return { ...certificate, version: secret.version, enabled: secret.enabled };
    } finally {
      secret.value.fill(0);
    }
  }

  async *listSecrets(): AsyncIterable<SecretProperties> {
    const index = this.store.current();
    for (const record of index.latest()) {
      const attributes = this.store.attributesOf(index, record);
      if (attributes.deletedOn === undefined) yield describe(record.name, record.version, attributes);
    }
  }

  async *listVersions(name: string): AsyncIterable<SecretProperties> {
    checkObjectName(name, this.name);
    const index = this.store.current();
    for (const record of index.versions(name)) {
      const attributes = this.store.attributesOf(index, record);
      if (attributes.deletedOn === undefined) yield describe(record.name, record.version, attributes);
    }
  }

  async setSecret(
    name: string,
    value: string | Uint8Array,
    properties: SetSecretProperties = {},
  ): Promise<SecretProperties> {
    const details = { vault: this.name, objectName: name };
    checkObjectName(name, this.name);
    checkProperties(properties, details);
    const stored = Buffer.from(encodeStored(value, properties.contentType, details));
    const now = this.seconds();
    const fresh: RecordAttributes = { enabled: true, createdOn: now, updatedOn: now };
    const attributes = amend(fresh, properties, now);
    const version = randomBytes(16).toString('hex');
    try {
      return await this.store.write((index) => {
        const [existing] = index.versions(name);
        if (existing !== undefined && this.store.attributesOf(index, existing).deletedOn !== undefined) {
          throw new VaultError(
            'SECRET_DELETED',
            `"${name}" is soft-deleted: recover or purge it first`,
            details,
          );
        }
        // Names that differ in case only are one name; it keeps the spelling of its first version.
        const record = { name: existing?.name ?? name, version, sequence: index.nextSequence() };
        this.store.seal(index, record, attributes, stored);
        return describe(record.name, version, attributes);
      });
    } finally {
      stored.fill(0);
    }
  }

  async updateSecret(ref: ObjectRef, properties: UpdateSecretProperties): Promise<SecretProperties> {
    this.checkRef(ref);
    checkProperties(properties, { vault: this.name, objectName: ref.objectName });
    return this.store.write((index) => {
      const { record, attributes, value } = this.find(index, ref);
      const changed = amend(attributes, properties, this.seconds());
      this.store.seal(index, record, changed, value);
      value.fill(0);
      return describe(record.name, record.version, changed);
    });
  }

  async deleteSecret(name: string): Promise<void> {
    await this.mark(name, false, (attributes) => ({ ...attributes, deletedOn: this.seconds() }));
  }

  async recoverSecret(name: string): Promise<void> {
    await this.mark(name, true, ({ deletedOn: _, ...attributes }) => attributes);
  }

  async purgeSecret(name: string): Promise<void> {
    checkObjectName(name, this.name);
    await this.store.write((index) => {
      this.requireDeletion(index, name, true);
      index.remove(name);
    });
  }

  async check(): Promise<VaultHealth> {
    const start = this.clock.monotonic();
    try {
      this.store.current();
      return { ok: true, latencyMs: this.clock.monotonic() - start };
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      return { ok: false, code: error.code, message: error.message, remedy: error.remedy };
    }
  }

  async close(): Promise<void> {
    await this.store.close();
  }

  private find(index: RecordIndex, ref: ObjectRef): OpenedRecord {
    this.checkRef(ref);
    const record = index.find(ref.objectName, ref.objectVersion);
    if (record !== undefined) {
      const opened = this.store.decrypt(index, record);
      if (opened.attributes.deletedOn === undefined) return opened;
      opened.value.fill(0);
    }
    const version = ref.objectVersion === undefined ? '' : ` of version ${ref.objectVersion}`;
    throw new VaultError(
      'SECRET_NOT_FOUND',
      `vault "${this.name}" has no secret "${ref.objectName}"${version}`,
      {
        vault: this.name,
        objectName: ref.objectName,
        ...(ref.objectVersion === undefined ? {} : { objectVersion: ref.objectVersion }),
      },
    );
  }

  private checkRef(ref: ObjectRef): void {
    checkObjectName(ref.objectName, this.name);
    if (ref.objectVersion !== undefined) checkObjectVersion(ref.objectVersion, this.name);
  }

  private async mark(
    name: string,
    deleted: boolean,
    change: (attributes: RecordAttributes) => RecordAttributes,
  ): Promise<void> {
    checkObjectName(name, this.name);
    await this.store.write((index) => {
      this.requireDeletion(index, name, deleted);
      for (const stored of index.versions(name)) {
        const { record, attributes, value } = this.store.decrypt(index, stored);
        this.store.seal(index, record, change(attributes), value);
        value.fill(0);
      }
    });
  }

  private requireDeletion(index: RecordIndex, name: string, deleted: boolean): void {
    const record = index.find(name);
    const isDeleted = record && this.store.attributesOf(index, record).deletedOn !== undefined;
    if (isDeleted === deleted) return;
    const message = `vault "${this.name}" has no ${deleted ? 'deleted ' : ''}secret "${name}"`;
    throw new VaultError('SECRET_NOT_FOUND', message, { vault: this.name, objectName: name });
  }

  private seconds(): number {
    return Math.floor(this.clock.now() / 1000);
  }
}

function amend(attributes: RecordAttributes, changes: UpdateSecretProperties, now: number): RecordAttributes {
  const { notBefore, expiresOn, ...rest } = attributes;
  const from = changes.notBefore === undefined ? notBefore : toSeconds(changes.notBefore);
  const to = changes.expiresOn === undefined ? expiresOn : toSeconds(changes.expiresOn);
  return {
    ...rest,
    updatedOn: now,
    ...(changes.enabled === undefined ? {} : { enabled: changes.enabled }),
    ...(changes.contentType === undefined ? {} : { contentType: changes.contentType }),
    ...(changes.tags === undefined ? {} : { tags: changes.tags }),
    ...(from === undefined ? {} : { notBefore: from }),
    ...(to === undefined ? {} : { expiresOn: to }),
  };
}

const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1000);

function windowOf(attributes: RecordAttributes): { enabled: boolean; notBefore?: Date; expiresOn?: Date } {
  const { enabled, notBefore, expiresOn } = attributes;
  return {
    enabled,
    ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore * 1000) }),
    ...(expiresOn === undefined ? {} : { expiresOn: new Date(expiresOn * 1000) }),
  };
}

const describe = (name: string, version: string, attributes: RecordAttributes): SecretProperties => ({
  name,
  version,
  ...windowOf(attributes),
  updatedOn: new Date(attributes.updatedOn * 1000),
  ...(attributes.contentType === undefined ? {} : { contentType: attributes.contentType }),
  ...(attributes.tags === undefined ? {} : { tags: attributes.tags }),
});
