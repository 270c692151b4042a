import { type AppraisalRecord, BUCKETS, type RevocationRecord, SiegelError } from '#contracts';
import { HealthRegistry, NATS_CONNECTION } from '#platform';
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
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { SessionRecords } from './session-records.js';

const PLATFORM = 'a.';
const REVOCATION = 'r.';
/** Every record is written anew within the longest life of a session; what is older serves nobody. */
const MAX_AGE_MS = 31 * 86_400_000;
const MAX_RACES = 8;

/** Who learns of what stands in the bucket. */
export interface SessionReader {
  platform(record: AppraisalRecord): void;
  platformGone(key: string): void;
  revoked(record: RevocationRecord): void;
}

/**
 * The JetStream KV bucket `BUCKETS.sessions`: `a.<appraisal key>` for platforms, `r.<tenant>.<session>` for revoked sessions, `l.…` for
 * leases. Every replica watches it and is not ready before it has seen all of it: it could not know who is revoked.
 */
@Injectable()
export class SessionBucket implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger(SessionBucket.name);
  private readonly readers: SessionReader[] = [];
  private kv: KV | undefined;
  private watching = false;
  private stopWatching: (() => void) | undefined;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    private readonly records: SessionRecords,
    health: HealthRegistry,
  ) {
    health.register('sessions', () => ({
      ok: this.watching,
      ...(this.watching ? {} : { detail: 'not watching the KV store' }),
    }));
  }

  /** Before the application starts. */
  onRecord(reader: SessionReader): void {
    this.readers.push(reader);
  }

  async onApplicationBootstrap(): Promise<void> {
    this.kv = await new Kvm(jetstream(this.nats)).create(BUCKETS.sessions, {
      history: 1,
      ttl: MAX_AGE_MS,
      replicas: this.environment.SIEGEL_MANIFEST_REPLICAS,
      description: 'signed appraisals of platforms in use, and revoked sessions',
    });
    const watch = await this.kv.watch();
    this.stopWatching = () => watch.stop();
    const { promise: initial, resolve: caughtUp } = Promise.withResolvers<void>();
    if ((await this.kv.status()).values === 0) caughtUp();
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

  /** All records that are in the bucket have been seen. */
  get complete(): boolean {
    return this.watching;
  }

  onModuleDestroy(): void {
    this.stopWatching?.();
  }

  /** The record of a platform as it stands in the bucket. `undefined` if there is none that is authentic. */
  async platform(key: string): Promise<AppraisalRecord | undefined> {
    const entry = await this.bucket().get(PLATFORM + key);
    return entry === null || entry.operation !== 'PUT' ? undefined : this.openPlatform(entry);
  }

  /**
   * Replaces the record of a platform by what `change` makes of it, against all races: `change` may be called again. Where it gives
   * `undefined` nothing is written.
   */
  async changePlatform(
    key: string,
    change: (record: AppraisalRecord | undefined) => AppraisalRecord | undefined,
  ): Promise<AppraisalRecord | undefined> {
    const name = PLATFORM + key;
    for (let race = 0; ; race++) {
      const entry = await this.bucket().get(name);
      const known = entry?.operation === 'PUT' ? await this.openPlatform(entry) : undefined;
      const next = change(known);
      if (next === undefined) return known;
      const jws = await this.records.signAppraisal(next);
      try {
        if (entry?.operation === 'PUT') await this.bucket().update(name, jws, entry.revision);
        else await this.bucket().create(name, jws);
        return next;
      } catch (error) {
        if (!isLostRace(error) || race >= MAX_RACES) throw error;
      }
    }
  }

  /** Deletes the record of a platform if `gone` says so of what stands there. */
  async dropPlatform(key: string, gone: (record: AppraisalRecord) => boolean): Promise<void> {
    const entry = await this.bucket().get(PLATFORM + key);
    if (entry?.operation !== 'PUT') return;
    const record = await this.openPlatform(entry);
    if (record !== undefined && !gone(record)) return;
    await this.bucket()
      .delete(entry.key, { previousSeq: entry.revision })
      .catch((error: unknown) => {
        if (!isLostRace(error)) throw error;
      });
  }

  async writeRevocation(record: RevocationRecord): Promise<void> {
    const jws = await this.records.signRevocation(record);
    await this.bucket().put(`${REVOCATION}${record.tenant}.${record.session}`, jws);
  }

  async dropRevocation({ tenant, session }: RevocationRecord): Promise<void> {
    await this.bucket().delete(`${REVOCATION}${tenant}.${session}`);
  }

  /** The bucket itself, for leases. */
  bucket(): KV {
    if (!this.kv) throw new SiegelError('SHUTTING_DOWN', { detail: 'the sessions bucket is not open' });
    return this.kv;
  }

  private async accept(entry: KvEntry): Promise<void> {
    if (entry.key.startsWith(PLATFORM)) {
      const key = entry.key.slice(PLATFORM.length);
      if (entry.operation !== 'PUT') return this.readers.forEach((reader) => reader.platformGone(key));
      const record = await this.openPlatform(entry);
      if (record !== undefined) this.readers.forEach((reader) => reader.platform(record));
    } else if (entry.key.startsWith(REVOCATION) && entry.operation === 'PUT') {
      // A deletion says nothing: the broker is not trusted, and each replica knows when a revocation has served its time.
      try {
        const record = await this.records.openRevocation(entry.string());
        if (entry.key !== `${REVOCATION}${record.tenant}.${record.session}`)
          throw new Error('it is the record of another session');
        this.readers.forEach((reader) => reader.revoked(record));
      } catch (error) {
        this.refused(entry, error);
      }
    }
  }

  private async openPlatform(entry: KvEntry): Promise<AppraisalRecord | undefined> {
    try {
      const record = await this.records.openAppraisal(entry.string());
      if (entry.key !== PLATFORM + record.key) throw new Error('it is the record of another platform');
      return record;
    } catch (error) {
      this.refused(entry, error);
      return undefined;
    }
  }

  private refused(entry: KvEntry, error: unknown): void {
    this.log.error(
      `record ${entry.key} (revision ${entry.revision}) is not authentic: ${(error as Error).message.slice(0, 300)}`,
    );
  }
}

/** The broker compares revisions (JetStream error 10071). */
export function isLostRace(error: unknown): boolean {
  return (error as { code?: number }).code === 10071 || /wrong last sequence/i.test((error as Error).message);
}
