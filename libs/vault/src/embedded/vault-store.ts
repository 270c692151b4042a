import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.js';
import { VaultError } from '../errors.js';
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

export interface VaultStoreOptions {
  readonly dir: string;
  readonly keyFile: string;
  /** Name of the vault in errors. */
  readonly name: string;
  readonly lockWaitMs: number;
  readonly clock: Clock;
}

/** One record, decrypted. The value is the caller's to zero. */
export interface OpenedRecord {
  readonly record: StoredRecord;
  readonly attributes: RecordAttributes;
  readonly value: Buffer;
}

/**
 * The folder of an embedded vault: its keys, its file, its lock, and the newest state of its records. Any number of processes
 * may use the folder: writes exclude each other and replace the file atomically, reads notice a replaced file.
 */
export class VaultStore {
  private index = new RecordIndex(newVaultContent());
  private seenState: string | undefined;
  /** The file was looked at in this turn of the event loop. */
  private looked = false;
  private closed = false;
  private writing: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly options: VaultStoreOptions,
    private readonly keys: VaultKeys,
  ) {}

  /** @throws VaultError VAULT_KEY_INVALID, VAULT_CORRUPT, SECRET_TAMPERED, VAULT_LOCKED */
  static async open(options: VaultStoreOptions): Promise<VaultStore> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    const release = await lockFolder(options);
    try {
      // A vault without its key must not get a new key: that would hide the loss of everything in it.
      const fresh = fileState(options.dir) === undefined;
      const keys = await loadVaultKeys(options.keyFile, fresh);
      if (fresh) await writeVaultFile(options.dir, keys, newVaultContent());
      const store = new VaultStore(options, keys);
      store.current();
      return store;
    } finally {
      release();
    }
  }

  /**
   * The records as they are in the file, with what other processes wrote since. The file is looked at once in a turn of the event loop:
   * many enclaves that come together read the same records.
   * @throws VaultError VAULT_CLOSED, VAULT_CORRUPT, SECRET_TAMPERED
   */
  current(): RecordIndex {
    this.requireOpen();
    if (this.looked) return this.index;
    const index = this.newest();
    this.looked = true;
    setImmediate(() => (this.looked = false)).unref();
    return index;
  }

  private newest(): RecordIndex {
    const { dir, name } = this.options;
    const state = fileState(dir);
    if (state !== undefined && state === this.seenState) return this.index;
    const content = readVaultFile(dir, this.keys);
    if (content === undefined) {
      throw new VaultError('VAULT_CORRUPT', `${vaultFilePath(dir)} is gone`, { vault: name });
    }
    if (this.seenState !== undefined && content.generation < this.index.generation) {
      const message = `${vaultFilePath(dir)} went back to an older state`;
      throw new VaultError('SECRET_TAMPERED', message, { vault: name });
    }
    this.index = new RecordIndex(content);
    this.seenState = state;
    return this.index;
  }

  /** Runs one change at a time: under the folder's lock, on the newest content, durable before it is visible here. */
  write<T>(change: (index: RecordIndex) => T): Promise<T> {
    const run = this.writing
      .catch(() => undefined)
      .then(async () => {
        this.requireOpen();
        const release = await lockFolder(this.options);
        try {
          const next = this.newest().copy();
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

  /** @throws VaultError SECRET_TAMPERED */
  decrypt(index: RecordIndex, record: StoredRecord): OpenedRecord {
    return { record, ...openRecord(this.keys.record, identityOf(index.vaultId, record), record.sealed) };
  }

  attributesOf(index: RecordIndex, record: StoredRecord): RecordAttributes {
    const { attributes, value } = this.decrypt(index, record);
    value.fill(0);
    return attributes;
  }

  /** Encrypts a version of a secret and puts it into an index that `write` handed out. */
  seal(
    index: RecordIndex,
    record: Omit<StoredRecord, 'sealed'>,
    attributes: RecordAttributes,
    value: Uint8Array,
  ): void {
    const { name, version, sequence } = record;
    const sealed = sealRecord(this.keys.record, identityOf(index.vaultId, record), attributes, value);
    index.put({ name, version, sequence, sealed });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.writing.catch(() => undefined);
    this.keys.wipe();
    this.index = new RecordIndex(newVaultContent());
  }

  private requireOpen(): void {
    if (!this.closed) return;
    throw new VaultError('VAULT_CLOSED', `vault "${this.options.name}" is closed`, {
      vault: this.options.name,
    });
  }
}

const lockFolder = ({ dir, lockWaitMs, clock }: VaultStoreOptions): Promise<() => void> =>
  acquireFolderLock(join(dir, 'vault.lock'), lockWaitMs, clock);
