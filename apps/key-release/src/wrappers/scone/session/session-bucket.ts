import { BUCKETS, SiegelError } from '#contracts';
import { isRevisionConflict } from '#platform';
import { jetstream } from '@nats-io/jetstream';
import { type KV, type KvEntry, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { HighWaterMarks } from '../../../manifests/high-water.js';
import { SconeError } from '../scone-error.js';
import { recordKey, SealedRecords, SessionRecord } from './session-record.js';

/** Versions that are kept of each session. */
const HISTORY = 64;
/** A session of 256 KiB with its secrets; below what NATS carries by default. */
const MAX_RECORD_BYTES = 900 * 1024;

/** A version, and the revision that the next one replaces. */
export interface StoredSession {
  readonly record: SessionRecord;
  readonly revision: number;
}

/** Sessions in JetStream KV, sealed and changed by compare-and-swap. An older version than this replica has seen is not taken for the newest. */
export class SessionBucket {
  private constructor(
    private readonly kv: KV,
    private readonly records: SealedRecords,
    private readonly marks: HighWaterMarks,
  ) {}

  static async open(
    nats: NatsConnection,
    replicas: number,
    records: SealedRecords,
    marks: HighWaterMarks,
  ): Promise<SessionBucket> {
    const kv = await new Kvm(jetstream(nats)).create(BUCKETS.sconeSessions, {
      history: HISTORY,
      replicas,
      maxValueSize: MAX_RECORD_BYTES,
      description: "sealed sessions of SCONE's language",
    });
    return new SessionBucket(kv, records, marks);
  }

  /** @throws SiegelError STORE_UNAVAILABLE, also for what somebody else wrote or rolled back */
  async head(tenant: string, name: string): Promise<StoredSession | undefined> {
    const key = recordKey(tenant, name);
    const entry = await answered(this.kv.get(key));
    const seen = this.marks.of(key);
    if (entry?.operation !== 'PUT') {
      if (seen || entry) throw foreign('a session that was there is gone');
      return undefined;
    }
    const stored = this.authentic(key, entry, tenant, name);
    if (!stored) throw foreign('the newest version was not written by this service');
    const { version, hash } = stored.record;
    if (seen && (version < seen.version || (version === seen.version && hash !== seen.digest)))
      throw foreign(`version ${seen.version} was seen here already, and ${version} came`);
    this.marks.raise(key, version, hash);
    return stored;
  }

  /** The version with this hash, of those that are kept. @throws SiegelError STORE_UNAVAILABLE */
  async version(tenant: string, name: string, hash: string): Promise<SessionRecord | undefined> {
    const key = recordKey(tenant, name);
    const read = async (): Promise<SessionRecord | undefined> => {
      for await (const entry of await this.kv.history({ key })) {
        const record =
          entry.operation === 'PUT' ? this.authentic(key, entry, tenant, name)?.record : undefined;
        if (record?.hash === hash) return record;
      }
      return undefined;
    };
    return answered(read());
  }

  /**
   * Writes if nothing but `revision` (0: nothing) was written last.
   * @throws SconeError where somebody was faster; SiegelError STORE_UNAVAILABLE
   */
  async put(record: SessionRecord, revision: number): Promise<void> {
    const key = recordKey(record.tenant, record.name);
    const sealed = this.records.seal(key, record);
    if (sealed.length > MAX_RECORD_BYTES)
      throw SconeError.invalid(['the session with its secrets is too large'], record.name);
    try {
      await answered(revision === 0 ? this.kv.create(key, sealed) : this.kv.update(key, sealed, revision));
    } catch (error) {
      if (!(error instanceof LostRace)) throw error;
      throw revision === 0 ? SconeError.exists(record.name) : SconeError.conflict(record.name);
    }
    this.marks.raise(key, record.version, record.hash);
  }

  private authentic(key: string, entry: KvEntry, tenant: string, name: string): StoredSession | undefined {
    const parsed = SessionRecord.safeParse(this.records.open(key, entry.value));
    if (!parsed.success || parsed.data.tenant !== tenant || parsed.data.name !== name) return undefined;
    return { record: parsed.data, revision: entry.revision };
  }
}

class LostRace extends Error {
  override readonly name = 'LostRace';
}

async function answered<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (cause) {
    if (isRevisionConflict(cause)) throw new LostRace();
    throw unavailable((cause as Error).message.slice(0, 300), cause);
  }
}

const foreign = (message: string): SiegelError => unavailable(message, undefined);

function unavailable(message: string, cause: unknown): SiegelError {
  return new SiegelError('STORE_UNAVAILABLE', {
    detail: 'the store of sessions did not answer as it must',
    reason: { code: 'SCONE_STORE_UNAVAILABLE', message },
    ...(cause === undefined ? {} : { cause }),
  });
}
