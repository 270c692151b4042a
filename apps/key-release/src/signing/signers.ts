import {
  type CertificateIssuer,
  CertifiedKeys,
  MeshCa,
  RotatingMeshCa,
  type ScheduledSigner,
  SigningKeys,
} from '#pki';
import { ConfigurationError } from '#platform';
import {
  isVaultError,
  readSignersFile,
  type SignersConfig,
  type VaultKeyConfig,
  VaultSigningKey,
} from '#vault';
import { dirname, join } from 'node:path';
import type { KeyReleaseEnvironment } from '../environment.js';

export type SignerName = 'mesh-root' | 'tokens';

/** Who is told of what the vault's keys do. */
export interface SignerObserver {
  changed(signer: SignerName, key: VaultSigningKey): void;
  failed(signer: SignerName, error: unknown): void;
}

/** What signs certificates and tokens: local keys, or keys of a vault where SIEGEL_SIGNERS_FILE names them. */
export class Signers {
  private observer: SignerObserver | undefined;
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    readonly ca: CertificateIssuer,
    readonly tokenKeys: SigningKeys,
    /** PEM of the certificates to which the `x5c` of token keys chain; none for local keys. */
    readonly tokenRootsPem: () => string | undefined,
    private readonly vaultKeys: ReadonlyMap<SignerName, VaultKey>,
    private readonly rotateLocal: (now: Date) => Promise<void>,
  ) {}

  /** @throws ConfigurationError, VaultError, PkiError */
  static async open(environment: KeyReleaseEnvironment): Promise<Signers> {
    const { SIEGEL_SIGNERS_FILE: file } = environment;
    const config = file === undefined ? {} : readConfig(file);
    const baseDir = file === undefined ? '.' : dirname(file);
    const vaultKeys = new Map<SignerName, VaultKey>();
    try {
      const openKey: OpenKey = (name, settings) =>
        VaultSigningKey.open(settings, {
          baseDir,
          cacheFile: join(environment.SIEGEL_STATE_DIR, `vault-key-${name}.json`),
        });
      const ca = await openCa(environment, config, openKey, vaultKeys);
      const tokens = await openTokenKeys(environment, config, openKey, vaultKeys);
      const { keys, rootsPem, rotate = nothing } = tokens;
      return new Signers(ca, keys, rootsPem, vaultKeys, rotate);
    } catch (error) {
      for (const { key } of vaultKeys.values()) key.close();
      throw explained(error);
    }
  }

  /** Begins to look for new versions. A vault out of reach is reported and stops nothing. */
  watch(observer: SignerObserver): void {
    this.observer = observer;
    for (const [name, { key, apply }] of this.vaultKeys) {
      key.watch(
        (changed) => this.take(name, key, apply, changed),
        (error) => observer.failed(name, error),
      );
    }
    this.timer = setInterval(() => {
      this.maintain(new Date()).catch((error: unknown) => observer.failed('tokens', error));
    }, LOCAL_LOOK_MS);
    this.timer.unref();
  }

  /** Takes up local token keys that another replica made, and makes the next one when it is due. */
  maintain(now: Date): Promise<void> {
    return this.rotateLocal(now);
  }

  /** A key of a vault may have a new version (a hint). @param azureName name of the vault in Azure */
  async refresh(azureName: string, keyName: string): Promise<void> {
    for (const [name, { key, apply }] of this.vaultKeys) {
      if (key.azureName !== azureName.toLowerCase() || key.keyName.toLowerCase() !== keyName.toLowerCase())
        continue;
      await this.take(name, key, apply, await key.refresh());
    }
  }

  private async take(
    name: SignerName,
    key: VaultSigningKey,
    apply: () => Promise<void>,
    changed: boolean,
  ): Promise<void> {
    if (changed) this.observer?.changed(name, key);
    await apply();
  }

  /** Whether a vault of this name holds one of our signers. */
  uses(azureName: string): boolean {
    return [...this.vaultKeys.values()].some(({ key }) => key.azureName === azureName.toLowerCase());
  }

  close(): void {
    clearInterval(this.timer);
    for (const { key } of this.vaultKeys.values()) key.close();
  }
}

type OpenKey = (name: SignerName, settings: VaultKeyConfig) => Promise<VaultSigningKey>;

interface TokenKeys {
  readonly keys: SigningKeys;
  readonly rootsPem: () => string | undefined;
  readonly rotate?: (now: Date) => Promise<void>;
}

/** How often the folder of local keys is looked at. */
const LOCAL_LOOK_MS = 60_000;
/** Caches of the JWKS live five minutes, and another replica looks at the folder every minute. */
const LOCAL_AHEAD_SECONDS = 600;
const nothing = (): Promise<void> => Promise.resolve();

interface VaultKey {
  readonly key: VaultSigningKey;
  /** Puts the versions that are known now to use. */
  readonly apply: () => Promise<void>;
}

async function openCa(
  environment: KeyReleaseEnvironment,
  { meshCaRoot }: SignersConfig,
  openKey: OpenKey,
  vaultKeys: Map<SignerName, VaultKey>,
): Promise<CertificateIssuer> {
  const { SIEGEL_PKI_DIR: dir, SIEGEL_TRUST_DOMAIN: trustDomain } = environment;
  if (meshCaRoot === undefined) return MeshCa.open({ dir, trustDomain });
  const { intermediateHours, publishAheadHours, ...settings } = meshCaRoot;
  const key = await openKey('mesh-root', settings);
  vaultKeys.set('mesh-root', { key, apply: () => Promise.resolve() });
  const roots = () => schedule(key, publishAheadHours * 3_600);
  const ca = await RotatingMeshCa.open({
    dir,
    trustDomain,
    roots: roots(),
    intermediateDays: intermediateHours / 24,
  });
  vaultKeys.set('mesh-root', { key, apply: () => ca.update(roots()) });
  return ca;
}

async function openTokenKeys(
  environment: KeyReleaseEnvironment,
  { tokens }: SignersConfig,
  openKey: OpenKey,
  vaultKeys: Map<SignerName, VaultKey>,
): Promise<TokenKeys> {
  const now = new Date();
  const dir = environment.SIEGEL_TOKEN_KEY_DIR;
  if (tokens === undefined) {
    const keys = await SigningKeys.open({ dir, alg: 'ES256', now });
    const life = environment.SIEGEL_TOKEN_KEY_DAYS * 86_400_000;
    const rotate = async (at: Date): Promise<void> => {
      await keys.reload();
      if (life > 0 && at.getTime() >= keys.newestFrom.getTime() + life)
        await keys.rotate(at, { publishAheadSeconds: LOCAL_AHEAD_SECONDS });
    };
    return { keys, rootsPem: () => undefined, rotate };
  }
  const { mode, localKeyHours, publishAheadSeconds, ...settings } = tokens;
  const key = await openKey('tokens', settings);
  vaultKeys.set('tokens', { key, apply: () => Promise.resolve() });
  if (mode === 'direct') {
    const keys = SigningKeys.of(schedule(key, publishAheadSeconds));
    const apply = async () => keys.replace(schedule(key, publishAheadSeconds));
    vaultKeys.set('tokens', { key, apply });
    return { keys, rootsPem: () => undefined };
  }
  const certified = await CertifiedKeys.open({
    dir,
    certifier: () => key.current(),
    keySeconds: localKeyHours * 3_600,
    publishAheadSeconds,
    now,
  });
  vaultKeys.set('tokens', { key, apply: () => certified.maintain(new Date()) });
  return { keys: certified.keys, rootsPem: () => certified.rootsPem() };
}

/**
 * The versions of a vault's key as a schedule: each from the time of its creation in the vault, plus the time for which it is published
 * ahead, so that all replicas agree whenever they learn of it. The first one signs at once.
 */
function schedule(key: VaultSigningKey, aheadSeconds: number): ScheduledSigner[] {
  return key.versions.map(({ signer, createdOn }, index) => ({
    signer,
    signsFrom: index === 0 ? new Date(0) : new Date(createdOn.getTime() + aheadSeconds * 1_000),
  }));
}

/** What waiting does not mend is a matter of configuration, and is told in one line. */
function explained(error: unknown): unknown {
  const cause = isVaultError(error) ? error : (error as Error).cause;
  if (!isVaultError(cause) || cause.outage) return error;
  const remedy =
    cause.code === 'VAULT_FORBIDDEN'
      ? 'Give the identity the role "Key Vault Crypto User" on the key; changes of roles take minutes to arrive.'
      : cause.remedy;
  return new ConfigurationError([
    { variable: 'SIEGEL_SIGNERS_FILE', message: `${cause.code}: ${cause.message} ${remedy}` },
  ]);
}

function readConfig(file: string): SignersConfig {
  try {
    return readSignersFile(file);
  } catch (error) {
    if (!isVaultError(error)) throw error;
    throw new ConfigurationError([{ variable: 'SIEGEL_SIGNERS_FILE', message: error.message }]);
  }
}
