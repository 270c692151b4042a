import {
  BUCKETS,
  type ManifestHistory,
  type ManifestRecord,
  type ManifestView,
  SiegelError,
} from '#contracts';
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
import { jetstream } from '@nats-io/jetstream';
import { type KV, type KvEntry, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { activate, type ActiveManifest, type Deployment } from './active-manifest.js';
import { HighWaterMarks } from './high-water.js';
import { ManifestRecords } from './manifest-records.js';

const HISTORY = 64;

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
  private kv: KV | undefined;
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
    this.kv = await new Kvm(jetstream(this.nats)).create(BUCKETS.manifests, {
      history: HISTORY,
      replicas: this.environment.SIEGEL_MANIFEST_REPLICAS,
      description: 'signed manifests by tenant',
    });
    const watch = await this.kv.watch();
    this.stopWatching = () => watch.stop();
    const { promise: initial, resolve: caughtUp } = Promise.withResolvers<void>();
    const pending = (await this.kv.status()).values;
    if (pending === 0) caughtUp();
    void (async () => {
      for await (const entry of watch) {
        await this.accept(entry);
        if (entry.delta === 0) caughtUp();
      }
      this.watching = false;
    })();
    await initial;
    this.watching = true;
  }

  onModuleDestroy(): void {
    this.stopWatching?.();
  }

  inForce(tenant: string): ActiveManifest | undefined {
    return this.active.get(tenant);
  }

  async view(tenant: string): Promise<ManifestView> {
    const current = await this.current(tenant);
    if (!current) throw new SiegelError('NOT_FOUND', { detail: 'this tenant has no manifest yet' });
    return { ...current.record, revision: current.revision };
  }

  async history(tenant: string): Promise<ManifestHistory> {
    const history: ManifestHistory['history'] = [];
    for await (const entry of await this.bucket().history({ key: tenant })) {
      if (entry.operation !== 'PUT') continue;
      const { text: _text, ...rest } = await this.records.open(entry.string());
      history.push({ ...rest, revision: entry.revision });
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
    const current = await this.current(tenant);
    if ((current?.record.version ?? 0) !== expectedVersion) throw new SiegelError('MANIFEST_CONFLICT');
    const previous = current && { version: current.record.version, digest: current.record.digest };
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
    try {
      const revision = current
        ? await this.bucket().update(tenant, jws, current.revision)
        : await this.bucket().create(tenant, jws);
      this.activate(record, revision);
      return { ...record, revision };
    } catch (error) {
      this.log.warn(`manifest ${reference.version} of ${tenant} lost its race: ${(error as Error).message}`);
      await this.emitter.record({
        tenant,
        type: 'manifest.refused',
        outcome: 'denied',
        reason: { code: 'MANIFEST_CONFLICT', message: 'another change came first' },
        data: { revision: current?.revision ?? 0 },
      });
      throw new SiegelError('MANIFEST_CONFLICT', { cause: error });
    }
  }

  private async current(tenant: string): Promise<{ record: ManifestRecord; revision: number } | undefined> {
    const entry = await this.bucket().get(tenant);
    if (!entry || entry.operation !== 'PUT') return undefined;
    return { record: await this.records.open(entry.string()), revision: entry.revision };
  }

  private bucket(): KV {
    if (!this.kv) throw new SiegelError('SHUTTING_DOWN', { detail: 'the manifest store is not open' });
    return this.kv;
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
      this.refuseRecord(entry, 'MANIFEST_INVALID', (error as Error).message);
    }
  }

  private activate(record: ManifestRecord, revision: number): void {
    const known = this.active.get(record.tenant);
    if (known && known.record.version >= record.version) return;
    this.active.set(record.tenant, activate(record, revision, this.deployment));
    this.marks.raise(record.tenant, record.version, record.digest);
    this.log.log(`manifest ${record.version} of tenant ${record.tenant} is in force`);
  }

  private refuseRecord(entry: KvEntry, code: string, message: string): void {
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
  }
}
