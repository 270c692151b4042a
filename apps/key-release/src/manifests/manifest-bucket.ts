import { BUCKETS, SiegelError } from '#contracts';
import { isRevisionConflict } from '#platform';
import { jetstream } from '@nats-io/jetstream';
import { type KV, type KvEntry, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

/** Versions that the store keeps of each tenant's manifest. */
const HISTORY = 64;

/** A value as it stands in the store; `text` is absent where the last change was a deletion. */
export interface StoredValue {
  readonly revision: number;
  readonly text?: string;
}

/** The KV bucket of manifests. What fails for want of the broker is a retryable error, never a guess about its content. */
export class ManifestBucket {
  private constructor(private readonly kv: KV) {}

  static async open(nats: NatsConnection, replicas: number): Promise<ManifestBucket> {
    const kv = await new Kvm(jetstream(nats)).create(BUCKETS.manifests, {
      history: HISTORY,
      replicas,
      description: 'signed manifests by tenant',
    });
    return new ManifestBucket(kv);
  }

  /** Follows all changes; `caughtUp` resolves when everything that is there now has been handed to `accept`. */
  async follow(accept: (entry: KvEntry) => Promise<void>): Promise<{
    caughtUp: Promise<void>;
    ended: Promise<void>;
    stop: () => void;
  }> {
    const watch = await this.kv.watch();
    const { promise: caughtUp, resolve } = Promise.withResolvers<void>();
    if ((await this.kv.status()).values === 0) resolve();
    const ended = (async () => {
      for await (const entry of watch) {
        await accept(entry);
        if (entry.delta === 0) resolve();
      }
    })();
    return { caughtUp, ended, stop: () => watch.stop() };
  }

  /** @throws SiegelError STORE_UNAVAILABLE when the store does not answer */
  async last(tenant: string): Promise<StoredValue | undefined> {
    const entry = await answered(this.kv.get(tenant));
    return entry === null ? undefined : valueOf(entry);
  }

  /** What is kept of a tenant's values, oldest first, without deletions. @throws SiegelError STORE_UNAVAILABLE */
  history(tenant: string): Promise<Required<StoredValue>[]> {
    const read = async (): Promise<Required<StoredValue>[]> => {
      const values: Required<StoredValue>[] = [];
      for await (const entry of await this.kv.history({ key: tenant })) {
        const { revision, text } = valueOf(entry);
        if (text !== undefined) values.push({ revision, text });
      }
      return values;
    };
    return answered(read());
  }

  /**
   * Writes if `revision` (0: nothing was ever there) is still the last of this key.
   * @throws SiegelError MANIFEST_CONFLICT or STORE_UNAVAILABLE
   */
  async put(tenant: string, text: string, revision: number): Promise<number> {
    const write = revision === 0 ? this.kv.create(tenant, text) : this.kv.update(tenant, text, revision);
    return answered(write);
  }
}

const valueOf = (entry: KvEntry): StoredValue => ({
  revision: entry.revision,
  ...(entry.operation === 'PUT' ? { text: entry.string() } : {}),
});

async function answered<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (cause) {
    if (isRevisionConflict(cause)) throw new SiegelError('MANIFEST_CONFLICT', { cause });
    throw new SiegelError('STORE_UNAVAILABLE', {
      detail: 'the manifest store did not answer',
      reason: { code: 'MANIFEST_STORE_UNAVAILABLE', message: (cause as Error).message.slice(0, 300) },
      cause,
    });
  }
}
