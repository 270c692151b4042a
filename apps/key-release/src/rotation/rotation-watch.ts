import type { VaultRegistry } from '#vault';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ManifestStore } from '../manifests/manifest-store.js';
import { Signers } from '../signing/signers.js';
import { TenantResolver } from '../tenants/tenant-resolver.js';
import { VAULTS } from '../vaults/vaults.token.js';
import { ChangeHints } from './change-hints.js';
import { type NoticedBy, ObjectWatch } from './object-watch.js';

/** How soon a new manifest's objects are looked at for the first time. */
const MANIFEST_CHECK_MS = 1_000;

/**
 * Brings changes of vaults to this service: by hints, which are fast and may be lost, and by a slow poll, which is the truth.
 * The poll reads one object after the other through the vault's reader, and so within its budget.
 */
@Injectable()
export class RotationWatch implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger(RotationWatch.name);
  private readonly seenManifests = new Map<string, number>();
  private pollTimer: NodeJS.Timeout | undefined;
  private manifestTimer: NodeJS.Timeout | undefined;
  private looking = false;
  private closed = false;

  constructor(
    private readonly watch: ObjectWatch,
    private readonly hints: ChangeHints,
    private readonly signers: Signers,
    private readonly manifests: ManifestStore,
    private readonly tenants: TenantResolver,
    @Inject(VAULTS) private readonly vaults: VaultRegistry,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  onApplicationBootstrap(): void {
    this.hints.listen(async ({ vault, objectName, objectType, logged }) => {
      if (objectType === 'key') return this.refreshKey(vault, objectName);
      await this.lookAt(vault, objectName, 'hint', logged);
    });
    this.schedulePoll();
    this.manifestTimer = setInterval(() => void this.lookAtNew(), MANIFEST_CHECK_MS);
    this.manifestTimer.unref();
  }

  onModuleDestroy(): void {
    this.closed = true;
    clearTimeout(this.pollTimer);
    clearInterval(this.manifestTimer);
    this.hints.close();
  }

  /** An object of a configured vault may have changed; the other replicas are told. */
  async objectChanged(vault: string, objectName: string, noticedBy: NoticedBy): Promise<void> {
    await this.lookAt(vault, objectName, noticedBy);
    const logged = this.watch.loggedStates(this.watch.objectsNamed(vault, objectName));
    await this.hints.tell({ vault, objectName, objectType: 'object', logged });
  }

  /** A key of a vault may have a new version. @param azureName name of the vault in Azure */
  async keyChanged(azureName: string, keyName: string): Promise<void> {
    await this.refreshKey(azureName, keyName);
    await this.hints.tell({ vault: azureName, objectName: keyName, objectType: 'key' });
  }

  private async refreshKey(azureName: string, keyName: string): Promise<void> {
    try {
      await this.signers.refresh(azureName, keyName);
    } catch (error) {
      this.log.warn(`key ${keyName}: ${(error as Error).message}`);
    }
  }

  private async lookAt(
    vault: string,
    objectName: string,
    noticedBy: NoticedBy,
    logged?: Record<string, string>,
  ): Promise<void> {
    // Also for what is granted in another way than by name now: the next read is a fresh one.
    this.vaults.invalidate(vault, objectName);
    for (const object of this.watch.objectsNamed(vault, objectName))
      await this.watch.look(object, noticedBy, logged);
  }

  private schedulePoll(): void {
    const jitter = 0.8 + 0.2 * Math.random();
    const wait = this.environment.SIEGEL_ROTATION_POLL_SECONDS * 1_000 * jitter;
    this.pollTimer = setTimeout(() => {
      void this.poll().finally(() => {
        if (!this.closed) this.schedulePoll();
      });
    }, wait);
    this.pollTimer.unref();
  }

  private async poll(): Promise<void> {
    for (const object of this.watch.objects().values()) {
      if (this.closed) return;
      await this.watch.look(object, 'poll');
    }
  }

  /** The first look at what a new manifest grants, so that there is something to compare with. */
  private async lookAtNew(): Promise<void> {
    if (this.looking || !this.manifestsChanged()) return;
    this.looking = true;
    try {
      for (const object of this.watch.objects().values()) {
        if (this.closed) return;
        if (this.watch.stateOf(object.key) === undefined) await this.watch.look(object, 'manifest');
      }
    } finally {
      this.looking = false;
    }
  }

  private manifestsChanged(): boolean {
    let changed = false;
    for (const tenant of this.tenants.tenants) {
      const version = this.manifests.inForce(tenant)?.record.version;
      if (version === undefined || this.seenManifests.get(tenant) === version) continue;
      this.seenManifests.set(tenant, version);
      changed = true;
    }
    return changed;
  }
}
