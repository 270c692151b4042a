import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readCertificateBundle } from '../certificate/certificate-bundle.js';
import { SYSTEM_CLOCK, type Clock } from '../clock.js';
import { decodeStored, encodeStored } from '../content-type.js';
import { VaultError, type VaultErrorDetails } from '../errors.js';
import { checkObjectName, checkObjectVersion, foldObjectName } from '../object-names.js';
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
import { acquireFolderLock } from './folder-lock.js';
import { openRecord, sealRecord, type RecordAttributes } from './record-cipher.js';
import { RecordIndex } from './record-index.js';
import {
  fileState,
  identityOf,
  newVaultContent,
  readVaultFile,
  vaultFilePath,
  writeVaultFile,
  type StoredRecord,
} from './vault-file.js';
import { loadVaultKeys, type VaultKeys } from './vault-key.js';

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

interface OpenedRecord {
  readonly record: StoredRecord;
  readonly attributes: RecordAttributes;
  readonly value: Buffer;
}

/**
 * Secrets in one encrypted file. Values stay encrypted in memory and are decrypted for each read. Any number of processes
 * may use the folder: writes exclude each other and replace the file atomically, reads notice a replaced file.
 */
export class EmbeddedVault implements WritableSecretSource {
  readonly kind = 'embedded';
  readonly name: string;
  private index = new RecordIndex(newVaultContent());
  private seenState: string | undefined;
  private closed = false;
  private writing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly options: EmbeddedVaultOptions,
    private readonly keys: VaultKeys,
    private readonly clock: Clock,
  ) {
    this.name = options.name ?? 'embedded';
  }

  /** @throws VaultError VAULT_KEY_INVALID, VAULT_CORRUPT, SECRET_TAMPERED, VAULT_LOCKED */
  static async open(options: EmbeddedVaultOptions): Promise<EmbeddedVault> {
    const clock = options.clock ?? SYSTEM_CLOCK;
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    const release = await lockFolder(options, clock);
    try {
      // A vault without its key must not get a new key: that would hide the loss of everything in it.
      const fresh = fileState(options.dir) === undefined;
      const keys = await loadVaultKeys(options.keyFile ?? join(options.dir, 'vault.key'), fresh);
      if (fresh) await writeVaultFile(options.dir, keys, newVaultContent());
      const vault = new EmbeddedVault(options, keys, clock);
      vault.refresh();
      return vault;
    } finally {
      release();
    }
  }

  async getSecret(ref: ObjectRef, options: ReadOptions = {}): Promise<SecretValue> {
    const { record, attributes, value: stored } = this.find(ref);
    const details = this.details(record);
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
      const { notBefore, notAfter } = certificate;
      checkWindow(
        { enabled: true, notBefore, expiresOn: notAfter },
        this.clock.now(),
        `certificate "${ref.objectName}"`,
        details,
        options.allowExpired,
      );
      return { ...certificate, version: secret.version, enabled: secret.enabled };
    } finally {
      secret.value.fill(0);
    }
  }

  async *listSecrets(): AsyncIterable<SecretProperties> {
    this.refresh();
    for (const record of this.index.latest()) {
      const properties = this.propertiesOf(record);
      if (properties !== undefined) yield properties;
    }
  }

  async *listVersions(name: string): AsyncIterable<SecretProperties> {
    checkObjectName(name, this.name);
    this.refresh();
    for (const record of this.index.versions(name)) {
      const properties = this.propertiesOf(record);
      if (properties !== undefined) yield properties;
    }
  }

  async setSecret(
    name: string,
    value: string | Uint8Array,
    properties: SetSecretProperties = {},
  ): Promise<SecretProperties> {
    checkObjectName(name, this.name);
    checkProperties(properties, { vault: this.name, objectName: name });
    const stored = Buffer.from(
      encodeStored(value, properties.contentType, { vault: this.name, objectName: name }),
    );
    const now = this.seconds();
    const attributes: RecordAttributes = {
      enabled: properties.enabled ?? true,
      createdOn: now,
      updatedOn: now,
      ...(properties.contentType === undefined ? {} : { contentType: properties.contentType }),
      ...(properties.notBefore === undefined ? {} : { notBefore: toSeconds(properties.notBefore) }),
      ...(properties.expiresOn === undefined ? {} : { expiresOn: toSeconds(properties.expiresOn) }),
      ...(properties.tags === undefined ? {} : { tags: properties.tags }),
    };
    const version = randomBytes(16).toString('hex');
    try {
      return await this.write((index) => {
        const [existing] = index.versions(name);
        if (existing !== undefined && this.decryptAttributes(existing).deletedOn !== undefined) {
          throw new VaultError(
            'SECRET_DELETED',
            `"${name}" is soft-deleted: recover or purge it first`,
            this.details(existing),
          );
        }
        // The spelling of the first version stays, as in Key Vault, where names differ in more than case only.
        const record = { name: existing?.name ?? name, version, sequence: index.nextSequence() };
        const sealed = sealRecord(this.keys.record, identityOf(index.vaultId, record), attributes, stored);
        index.put({ ...record, sealed });
        return describe(record.name, version, attributes);
      });
    } finally {
      stored.fill(0);
    }
  }

  async updateSecret(ref: ObjectRef, properties: UpdateSecretProperties): Promise<SecretProperties> {
    this.checkRef(ref);
    checkProperties(properties, { vault: this.name, objectName: ref.objectName });
    return this.write((index) => {
      const { record, attributes, value } = this.find(ref, index);
      const changed = this.amend(attributes, properties);
      index.put({
        ...record,
        sealed: sealRecord(this.keys.record, identityOf(index.vaultId, record), changed, value),
      });
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
    await this.write((index) => {
      this.requireDeletion(index, name, true);
      index.remove(name);
    });
  }

  async check(): Promise<VaultHealth> {
    const start = this.clock.monotonic();
    try {
      this.refresh();
      return { ok: true, latencyMs: this.clock.monotonic() - start };
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      return { ok: false, code: error.code, message: error.message, remedy: error.remedy };
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.writing.catch(() => undefined);
    this.keys.wipe();
    this.index = new RecordIndex(newVaultContent());
  }

  /** Runs one change at a time: under the folder's lock, on the newest content, durable before it is visible here. */
  private write<T>(change: (index: RecordIndex) => T): Promise<T> {
    const run = this.writing
      .catch(() => undefined)
      .then(async () => {
        this.requireOpen();
        const release = await lockFolder(this.options, this.clock);
        try {
          this.refresh();
          const next = this.index.copy();
          const result = change(next);
          await writeVaultFile(this.options.dir, this.keys, next.content());
          this.index = next;
          this.seenState = fileState(this.options.dir);
          return result;
        } finally {
          release();
        }
      });
    this.writing = run;
    return run;
  }

  /** Takes over what another process wrote since. */
  private refresh(): void {
    this.requireOpen();
    const state = fileState(this.options.dir);
    if (state !== undefined && state === this.seenState) return;
    const content = readVaultFile(this.options.dir, this.keys);
    if (content === undefined) {
      throw new VaultError('VAULT_CORRUPT', `${vaultFilePath(this.options.dir)} is gone`, {
        vault: this.name,
      });
    }
    if (this.seenState !== undefined && content.generation < this.index.generation) {
      throw new VaultError(
        'SECRET_TAMPERED',
        `${vaultFilePath(this.options.dir)} went back to an older state`,
        {
          vault: this.name,
        },
      );
    }
    this.index = new RecordIndex(content);
    this.seenState = state;
  }

  private find(ref: ObjectRef, index?: RecordIndex): OpenedRecord {
    this.checkRef(ref);
    if (index === undefined) this.refresh();
    const record = (index ?? this.index).find(ref.objectName, ref.objectVersion);
    if (record !== undefined) {
      const opened = { record, ...this.decrypt(record, index) };
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
    await this.write((index) => {
      this.requireDeletion(index, name, deleted);
      for (const record of index.versions(name)) {
        const { attributes, value } = this.decrypt(record, index);
        const sealed = sealRecord(
          this.keys.record,
          identityOf(index.vaultId, record),
          change(attributes),
          value,
        );
        value.fill(0);
        index.put({ ...record, sealed });
      }
    });
  }

  private requireDeletion(index: RecordIndex, name: string, deleted: boolean): void {
    const record = index.find(name);
    if (record === undefined || (this.decryptAttributes(record, index).deletedOn !== undefined) !== deleted) {
      throw new VaultError(
        'SECRET_NOT_FOUND',
        `vault "${this.name}" has no ${deleted ? 'deleted ' : ''}secret "${name}"`,
        {
          vault: this.name,
          objectName: foldObjectName(name),
        },
      );
    }
  }

  private amend(attributes: RecordAttributes, changes: UpdateSecretProperties): RecordAttributes {
    const { notBefore, expiresOn, ...rest } = attributes;
    const from =
      changes.notBefore === undefined ? notBefore : changes.notBefore && toSeconds(changes.notBefore);
    const to =
      changes.expiresOn === undefined ? expiresOn : changes.expiresOn && toSeconds(changes.expiresOn);
    return {
      ...rest,
      updatedOn: this.seconds(),
      ...(changes.enabled === undefined ? {} : { enabled: changes.enabled }),
      ...(changes.contentType === undefined ? {} : { contentType: changes.contentType }),
      ...(changes.tags === undefined ? {} : { tags: changes.tags }),
      ...(from === undefined || from === null ? {} : { notBefore: from }),
      ...(to === undefined || to === null ? {} : { expiresOn: to }),
    };
  }

  private decrypt(record: StoredRecord, index = this.index): { attributes: RecordAttributes; value: Buffer } {
    return openRecord(this.keys.record, identityOf(index.vaultId, record), record.sealed);
  }

  private decryptAttributes(record: StoredRecord, index = this.index): RecordAttributes {
    const { attributes, value } = this.decrypt(record, index);
    value.fill(0);
    return attributes;
  }

  private propertiesOf(record: StoredRecord): SecretProperties | undefined {
    const attributes = this.decryptAttributes(record);
    return attributes.deletedOn === undefined ? describe(record.name, record.version, attributes) : undefined;
  }

  private details(record: StoredRecord): VaultErrorDetails {
    return { vault: this.name, objectName: record.name, objectVersion: record.version };
  }

  private requireOpen(): void {
    if (this.closed)
      throw new VaultError('VAULT_CLOSED', `vault "${this.name}" is closed`, { vault: this.name });
  }

  private seconds(): number {
    return Math.floor(this.clock.now() / 1000);
  }
}

const toSeconds = (date: Date): number => Math.floor(date.getTime() / 1000);

const lockFolder = (options: EmbeddedVaultOptions, clock: Clock): Promise<() => void> =>
  acquireFolderLock(join(options.dir, 'vault.lock'), options.lockWaitMs ?? 5_000, clock);

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
