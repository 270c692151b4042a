import type { UpdateChannel } from '#collateral';
import { BUCKETS } from '#contracts';
import type { Signer } from '#pki';
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { Logger } from '@nestjs/common';
import { randomUUID, type KeyObject } from 'node:crypto';
import { decodeRecord, encodeRecord } from './shared-record.js';
import { NoSharedCache, type Lease, type SharedCache, type SharedCollateral } from './shared-cache.js';

/** A fetch that takes longer than this has lost its lease. */
const LEASE_MS = 15_000;
const OPERATION_TIMEOUT_MS = 2_000;
const MAX_BUCKET_BYTES = 256 * 1024 * 1024;
/** Room for subject and headers within the largest message of the server. */
const MESSAGE_OVERHEAD = 1_024;

export interface JetStreamCacheOptions {
  readonly signer: Signer;
  /** Verdict keys of the trust file, by kid. */
  readonly verifiers: ReadonlyMap<string, KeyObject>;
  /** Replicas of different channels do not share records. */
  readonly update: UpdateChannel;
  readonly clock: () => Date;
}

/** Opens the bucket; where the server has no JetStream or this user may not use it, replicas simply do not share. */
export async function openSharedCache(
  nats: NatsConnection,
  options: JetStreamCacheOptions,
): Promise<SharedCache> {
  const log = new Logger(JetStreamCache.name);
  try {
    await jetstreamManager(nats, { timeout: OPERATION_TIMEOUT_MS });
    const kv = await openBucket(new Kvm(nats));
    return new JetStreamCache(kv, nats.info?.max_payload ?? 1_048_576, options);
  } catch (error) {
    log.warn(`collateral is not shared between replicas: ${(error as Error).message}`);
    return new NoSharedCache();
  }
}

/** An existing bucket is taken as the operator made it (replicas, placement); only a missing one is created. */
async function openBucket(kvm: Kvm): Promise<KV> {
  const timeout = OPERATION_TIMEOUT_MS;
  const existing = await kvm.open(BUCKETS.collateral, { timeout });
  try {
    await existing.status();
    return existing;
  } catch {
    return kvm.create(BUCKETS.collateral, { history: 1, max_bytes: MAX_BUCKET_BYTES, timeout });
  }
}

/** The JetStream key-value bucket `BUCKETS.collateral`: `c.<channel>.<key>` for records, `l.<channel>.<key>` for leases. */
class JetStreamCache implements SharedCache {
  private readonly log = new Logger(JetStreamCache.name);
  private readonly holder = randomUUID();
  private stopWatching: (() => void) | undefined;

  constructor(
    private readonly kv: KV,
    private readonly maxPayload: number,
    private readonly options: JetStreamCacheOptions,
  ) {}

  async read(key: string): Promise<SharedCollateral | undefined> {
    return this.attempt(`read ${key}`, undefined, async () => {
      const name = this.record(key);
      const entry = await this.kv.get(name);
      if (entry === null || entry.operation !== 'PUT') return undefined;
      return decodeRecord(name, entry.value, this.options.verifiers);
    });
  }

  async write(key: string, collateral: SharedCollateral): Promise<void> {
    await this.attempt(`write ${key}`, undefined, async () => {
      const name = this.record(key);
      const record = await encodeRecord(name, collateral, this.options.signer);
      if (record.length + MESSAGE_OVERHEAD > this.maxPayload)
        throw new Error(`${record.length} bytes are more than the server takes in one message`);
      await this.kv.put(name, record);
    });
  }

  async lease(key: string): Promise<Lease | undefined> {
    const unshared: Lease = { release: async () => undefined };
    return this.attempt(`lease ${key}`, unshared, async () => {
      const name = `l.${this.options.update}.${key}`;
      const until = this.options.clock().getTime() + LEASE_MS;
      const mine = JSON.stringify({ holder: this.holder, until });
      const entry = await this.kv.get(name);
      let revision: number;
      try {
        if (entry === null || entry.operation !== 'PUT') revision = await this.kv.create(name, mine);
        else if (isHeld(entry.value, this.options.clock().getTime())) return undefined;
        else revision = await this.kv.update(name, mine, entry.revision);
      } catch (error) {
        // Somebody was faster: the broker compares revisions (JetStream error 10071).
        if (
          (error as { code?: number }).code === 10071 ||
          /wrong last sequence/i.test((error as Error).message)
        )
          return undefined;
        throw error;
      }
      return {
        release: () =>
          this.attempt(`release ${key}`, undefined, () => this.kv.delete(name, { previousSeq: revision })),
      };
    });
  }

  async watch(changed: (key: string) => void): Promise<void> {
    await this.attempt('watch', undefined, async () => {
      const entries = await this.kv.watch({ key: this.record('>'), include: 'updates', ignoreDeletes: true });
      this.stopWatching = () => entries.stop();
      void (async () => {
        for await (const entry of entries) changed(entry.key.slice(this.record('').length));
      })().catch((error: unknown) => this.log.warn(`the watch ended: ${(error as Error).message}`));
    });
  }

  async close(): Promise<void> {
    this.stopWatching?.();
  }

  private record(key: string): string {
    return `c.${this.options.update}.${key}`;
  }

  private async attempt<T>(what: string, otherwise: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.log.warn(`shared collateral: ${what}: ${(error as Error).message}`);
      return otherwise;
    }
  }
}

/** A lease longer than any of ours is none: the bucket is untrusted, and nobody may stop the others from fetching. */
function isHeld(value: Uint8Array, now: number): boolean {
  try {
    const { until } = JSON.parse(Buffer.from(value).toString()) as { until?: unknown };
    return typeof until === 'number' && until > now && until <= now + 2 * LEASE_MS;
  } catch {
    return false;
  }
}
