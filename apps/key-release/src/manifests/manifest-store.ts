import { type ManifestHistory, type ManifestRecord, type ManifestView, SiegelError } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { HealthRegistry, NATS_CONNECTION } from '#platform';
import { compileManifest, parseManifest } from '#policy';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { KvEntry } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { activate, type ActiveManifest, type Deployment } from './active-manifest.js';
import { HighWaterMarks } from './high-water.js';
import { ManifestBucket } from './manifest-bucket.js';
import { ManifestRecords } from './manifest-records.js';

/** The newest version of a tenant's manifest that is known, and where the next one goes. */
interface Head {
  readonly version: number;
  readonly digest?: string;
  /** Absent where no readable record of this version is left. */
  readonly current?: { readonly record: ManifestRecord; readonly revision: number };
  /** Revision of the store's last value of this key, whatever it is. */
  readonly last: number;
}

/**
 * The manifests in force, from JetStream KV: changed by compare-and-swap, watched by every replica (a change is in force everywhere
 * within the watch's latency), each record signed, numbered and chained.
 */
@Injectable()
export class ManifestStore implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger(ManifestStore.name);
  private readonly active = new Map<string, ActiveManifest>();
  private readonly marks: HighWaterMarks;
  private readonly deployment: Deployment;
  private opened: ManifestBucket | undefined;
  private watching = false;
  private stopWatching: (() => void) | undefined;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(AUDIT_EMITTER) private readonly emitter: AuditEmitter,
    private readonly records: ManifestRecords,
    health: HealthRegistry,
  ) {
    this.marks = new HighWaterMarks(environment.SIEGEL_STATE_DIR);
    this.deployment = {
      trustDomain: environment.SIEGEL_TRUST_DOMAIN,
      acceptSimulated: environment.SIEGEL_SIMULATION,
    };
    health.register('manifests', () => ({
      ok: this.watching,
      ...(this.watching ? {} : { detail: 'not watching the KV store' }),
    }));
  }

  async onApplicationBootstrap(): Promise<void> {
    this.opened = await ManifestBucket.open(this.nats, this.environment.SIEGEL_MANIFEST_REPLICAS);
    const { caughtUp, ended, stop } = await this.opened.follow((entry) => this.accept(entry));
    this.stopWatching = stop;
    await caughtUp;
    this.watching = true;
    void ended
      .catch((error: unknown) =>
        this.log.error(`the watch of the manifests failed: ${(error as Error).message}`),
      )
      .finally(() => (this.watching = false));
  }

  /** All manifests that are in the bucket have been seen. */
  get complete(): boolean {
    return this.watching;
  }

  onModuleDestroy(): void {
    this.stopWatching?.();
  }

  inForce(tenant: string): ActiveManifest | undefined {
    return this.active.get(tenant);
  }

  async view(tenant: string): Promise<ManifestView> {
    const { current } = await this.head(tenant);
    if (!current) throw new SiegelError('NOT_FOUND', { detail: 'this tenant has no manifest yet' });
    return { ...current.record, revision: current.revision };
  }

  /** What stands in the store and bears a trusted signature; anything else there is no version of ours. */
  async history(tenant: string): Promise<ManifestHistory> {
    const history: ManifestHistory['history'] = [];
    for (const { record, revision } of await this.authentic(tenant)) {
      const { text: _text, ...rest } = record;
      history.push({ ...rest, revision });
    }
    return { history };
  }

  /**
   * Sets a tenant's manifest if `expectedVersion` (0 for "none yet") is the one in force. The event is logged before the change takes
   * effect; a lost race is logged as well.
   */
  async set(tenant: string, text: string, expectedVersion: number, actor: string): Promise<ManifestView> {
    const parsed = parseManifest(text);
    if (!parsed.ok) throw new SiegelError('MANIFEST_INVALID', { extensions: { problems: parsed.problems } });
    compileManifest(parsed.manifest, { ...this.deployment, tenant });
    if (!this.emitter.available) throw new SiegelError('AUDIT_UNAVAILABLE');
    const head = await this.head(tenant);
    if (head.version !== expectedVersion) throw new SiegelError('MANIFEST_CONFLICT');
    const previous = head.digest === undefined ? undefined : { version: head.version, digest: head.digest };
    const record: ManifestRecord = {
      tenant,
      version: expectedVersion + 1,
      digest: parsed.digest,
      ...(previous ? { previousDigest: previous.digest } : {}),
      setAt: new Date().toISOString(),
      actor,
      text,
    };
    const reference = { version: record.version, digest: record.digest };
    await this.emitter.record({
      tenant,
      type: 'manifest.set',
      outcome: 'ok',
      data: {
        manifest: reference,
        ...(previous ? { previous } : {}),
        actor,
        workloads: Object.keys(parsed.manifest.workloads),
      },
    });
    const jws = await this.records.sign(record);
    let revision: number;
    try {
      revision = await this.bucket().put(tenant, jws, head.last);
    } catch (error) {
      const refusal = error as SiegelError;
      this.log.warn(`manifest ${reference.version} of ${tenant} was not stored: ${refusal.code}`);
      await this.emitter.record({
        tenant,
        type: 'manifest.refused',
        outcome: 'denied',
        reason: refusal.reason ?? { code: refusal.code, message: 'another change came first' },
        data: { revision: head.last },
      });
      throw refusal;
    }
    this.activate(record, revision);
    return { ...record, revision };
  }

  /**
   * What the next version follows: the newest authentic record, whether the store shows it, this replica has it in force, or only
   * its mark is left. A store that shows something older, forged or nothing is repaired by the next change, not obeyed.
   */
  private async head(tenant: string): Promise<Head> {
    const last = await this.bucket().last(tenant);
    const revision = last?.revision ?? 0;
    const stored = last?.text === undefined ? undefined : await this.opens(last.text, tenant);
    const mark = this.marks.of(tenant);
    if (stored && stored.version > (mark?.version ?? 0)) {
      return {
        version: stored.version,
        digest: stored.digest,
        current: { record: stored, revision },
        last: revision,
      };
    }
    if (!mark) return { version: 0, last: revision };
    const active = this.active.get(tenant);
    return {
      ...mark,
      ...(active?.record.version === mark.version
        ? { current: { record: active.record, revision: active.revision } }
        : {}),
      last: revision,
    };
  }

  private async opens(text: string, tenant: string): Promise<ManifestRecord | undefined> {
    try {
      const record = await this.records.open(text);
      return record.tenant === tenant ? record : undefined;
    } catch {
      return undefined;
    }
  }

  private async authentic(tenant: string): Promise<{ record: ManifestRecord; revision: number }[]> {
    const found = [];
    for (const { text, revision } of await this.bucket().history(tenant)) {
      const record = await this.opens(text, tenant);
      if (record) found.push({ record, revision });
    }
    return found;
  }

  private bucket(): ManifestBucket {
    if (!this.opened) throw new SiegelError('SHUTTING_DOWN', { detail: 'the manifest store is not open' });
    return this.opened;
  }

  /** A record that is forged, unreadable or older than one already seen changes nothing, and is an event. */
  private async accept(entry: KvEntry): Promise<void> {
    if (entry.operation !== 'PUT') {
      return this.refuseRecord(
        entry,
        'MANIFEST_DELETED',
        'a manifest record was deleted; the one in force stays',
      );
    }
    let record: ManifestRecord;
    try {
      record = await this.records.open(entry.string());
    } catch (error) {
      return this.refuseRecord(entry, 'MANIFEST_FORGED', (error as Error).message);
    }
    if (record.tenant !== entry.key) {
      return this.refuseRecord(entry, 'MANIFEST_FORGED', 'the record belongs to another tenant');
    }
    const mark = this.marks.of(record.tenant);
    if (
      mark &&
      (record.version < mark.version || (record.version === mark.version && record.digest !== mark.digest))
    ) {
      return this.refuseRecord(
        entry,
        'MANIFEST_ROLLBACK',
        `version ${record.version} after ${mark.version} was seen`,
      );
    }
    try {
      this.activate(record, entry.revision);
    } catch (error) {
      return this.refuseRecord(entry, 'MANIFEST_INVALID', (error as Error).message);
    }
  }

  /** After a start, the last value may be one that is refused: what was in force before it is in force still. */
  private async restore(tenant: string): Promise<void> {
    const mark = this.marks.of(tenant);
    const candidates = (await this.authentic(tenant))
      .filter(
        ({ record: { version, digest } }) =>
          !mark || version > mark.version || (version === mark.version && digest === mark.digest),
      )
      .sort((a, b) => b.record.version - a.record.version);
    for (const { record, revision } of candidates) {
      try {
        return this.activate(record, revision);
      } catch (error) {
        this.log.warn(
          `manifest ${record.version} of ${tenant} cannot be restored: ${(error as Error).message}`,
        );
      }
    }
  }

  private activate(record: ManifestRecord, revision: number): void {
    const known = this.active.get(record.tenant);
    if (known && known.record.version >= record.version) return;
    this.active.set(record.tenant, activate(record, revision, this.deployment));
    this.marks.raise(record.tenant, record.version, record.digest);
    this.log.log(`manifest ${record.version} of tenant ${record.tenant} is in force`);
  }

  private async refuseRecord(entry: KvEntry, code: string, message: string): Promise<void> {
    this.log.error({
      msg: 'manifest record refused',
      tenant: entry.key,
      revision: entry.revision,
      code,
      detail: message,
    });
    this.emitter
      .record({
        tenant: entry.key,
        type: 'manifest.refused',
        outcome: 'alert',
        reason: { code, message: message.slice(0, 1_000) },
        data: { revision: entry.revision },
      })
      .catch((error: unknown) =>
        this.log.error(`the refusal could not be logged yet: ${(error as Error).message}`),
      );
    if (this.active.has(entry.key)) return;
    try {
      await this.restore(entry.key);
    } catch (error) {
      this.log.error(`no earlier manifest of ${entry.key} could be restored: ${(error as Error).message}`);
    }
  }
}
