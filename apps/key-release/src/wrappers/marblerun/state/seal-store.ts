import type { VaultRegistry } from '#vault';
import { type CoordinatorData, parseData, serializeData } from './coordinator-data.js';
import type { DeploymentOptions } from './deployments-file.js';
import { SEALED_DATA, SEALED_KEY, SealFolder } from './seal-folder.js';
import {
  keyIdOf,
  newSealingKey,
  openState,
  readMeta,
  SealError,
  type SealedMeta,
  sealState,
  unwrapKeys,
  wrapKeys,
} from './sealed-form.js';
import { wrappingKey } from './wrapping-key.js';

/** What a folder holds: nothing, a state, or a state whose key is gone. */
export type Loaded =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'state'; readonly data: CoordinatorData }
  | { readonly kind: 'sealed'; readonly meta: SealedMeta; readonly why: string };

/** The sealed state of one deployment on disk: `sealed_data` under the sealing key, `sealed_key` under the wrapping key. */
export class SealStore {
  private key = newSealingKey();
  private sealMeta: SealedMeta = emptyMeta(this.key);
  /** Whether `sealed_key` holds the key in force. */
  private keyStored = false;

  private constructor(
    private readonly folder: SealFolder,
    private readonly wrapping: Buffer,
    private readonly deployment: string,
  ) {}

  /** @throws ConfigurationError, VaultError, SealFolderError */
  static async open(
    options: Pick<DeploymentOptions, 'name' | 'sealDir' | 'sealKey'>,
    vaults: Pick<VaultRegistry, 'get'>,
  ): Promise<SealStore> {
    const wrapping = await wrappingKey(options.sealKey, vaults);
    return new SealStore(await SealFolder.open(options.sealDir), wrapping, options.name);
  }

  /** Of the sealing key in force. */
  get meta(): SealedMeta {
    return this.sealMeta;
  }

  /** A state that cannot be opened is told as sealed, with the reason: other deployments must not wait for it. */
  async load(): Promise<Loaded> {
    const sealed = await this.folder.read(SEALED_DATA);
    if (sealed === undefined) return { kind: 'nothing' };
    let meta = emptyMeta(this.key);
    try {
      ({ meta } = readMeta(sealed));
      const data = this.unseal(await this.storedKey(meta), sealed);
      this.keyStored = true;
      return { kind: 'state', data };
    } catch (error) {
      if (!(error instanceof SealError)) throw error;
      return { kind: 'sealed', meta, why: error.message };
    }
  }

  /**
   * Opens the state with a recovered key; once `before` is done the key is stored again.
   * @throws SealError, or what `before` throws; then nothing has changed
   */
  async recover(key: Buffer, before: (data: CoordinatorData) => Promise<void>): Promise<CoordinatorData> {
    const sealed = await this.folder.read(SEALED_DATA);
    if (sealed === undefined) throw new SealError('there is no sealed state');
    const data = this.unseal(key, sealed);
    await before(data);
    await this.folder.replace(SEALED_KEY, wrapKeys(this.wrapping, this.deployment, [key]));
    this.keyStored = true;
    return data;
  }

  /** Makes a state durable. */
  async save(data: CoordinatorData): Promise<void> {
    if (!this.keyStored) return this.saveUnder(data, this.key, this.sealMeta);
    await this.folder.replace(SEALED_DATA, sealState(this.key, this.sealMeta, serializeData(data)));
  }

  /** Makes a state durable under a new sealing key. After a crash between the files either state opens. */
  async saveUnder(data: CoordinatorData, key: Buffer, meta: SealedMeta): Promise<void> {
    const sealed = sealState(key, meta, serializeData(data));
    const keys = this.keyStored ? [key, this.key] : [key];
    await this.folder.replace(SEALED_KEY, wrapKeys(this.wrapping, this.deployment, keys));
    await this.folder.replace(SEALED_DATA, sealed);
    if (keys.length > 1)
      await this.folder.replace(SEALED_KEY, wrapKeys(this.wrapping, this.deployment, [key]));
    this.key = Buffer.from(key);
    this.sealMeta = meta;
    this.keyStored = true;
  }

  /** Puts a state that is given up out of the way; it can still be recovered by hand. */
  async setAside(now: Date): Promise<void> {
    const suffix = `.abandoned-${now.toISOString().replace(/[:.]/g, '')}`;
    for (const name of [SEALED_DATA, SEALED_KEY]) {
      if ((await this.folder.read(name)) !== undefined) await this.folder.setAside(name, name + suffix);
    }
  }

  close(): void {
    this.folder.close();
    this.key.fill(0);
    this.wrapping.fill(0);
  }

  /** The sealing key of a state. @throws SealError */
  private async storedKey(meta: SealedMeta): Promise<Buffer> {
    const file = await this.folder.read(SEALED_KEY);
    if (file === undefined) throw new SealError('there is no sealed_key');
    const key = unwrapKeys(this.wrapping, this.deployment, file).find((each) => keyIdOf(each) === meta.keyId);
    if (key === undefined) throw new SealError('sealed_key is of another state');
    return key;
  }

  private unseal(key: Buffer, sealed: Buffer): CoordinatorData {
    const { meta, state } = openState(key, sealed);
    try {
      const data = parseData(state);
      this.key = Buffer.from(key);
      this.sealMeta = meta;
      return data;
    } catch (cause) {
      throw new SealError('the state was written by another version', { cause });
    } finally {
      state.fill(0);
    }
  }
}

/** Before there are recovery keys. */
const emptyMeta = (key: Buffer): SealedMeta => ({
  v: 1,
  keyId: keyIdOf(key),
  scheme: 'none',
  threshold: 0,
  shares: {},
  keys: {},
});
