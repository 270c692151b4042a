// The bucket's contract in memory, for specs: what it keeps, who is told, and what happens to leases.
import type { AppraisalRecord } from '#contracts';
import type { KV } from '@nats-io/kv';
import type { SessionBucket, SessionReader } from './session-bucket.js';

const lostRace = () => Object.assign(new Error('wrong last sequence'), { code: 10071 });

export class MemoryBucket {
  readonly records = new Map<string, AppraisalRecord>();
  readonly readers: SessionReader[] = [];
  readonly leases = new Map<string, { value: string; revision: number }>();
  writes = 0;
  private revision = 0;

  private readonly kv = {
    get: async (name: string) => {
      const found = this.leases.get(name);
      return found === undefined
        ? null
        : { operation: 'PUT', value: Buffer.from(found.value), revision: found.revision };
    },
    create: async (name: string, value: string) => {
      if (this.leases.has(name)) throw lostRace();
      return this.set(name, value);
    },
    update: async (name: string, value: string, revision: number) => {
      if (this.leases.get(name)?.revision !== revision) throw lostRace();
      return this.set(name, value);
    },
    delete: async (name: string, { previousSeq }: { previousSeq: number }) => {
      if (this.leases.get(name)?.revision !== previousSeq) throw lostRace();
      this.leases.delete(name);
    },
  } as unknown as KV;

  readonly bucket = {
    complete: true,
    bucket: () => this.kv,
    onRecord: (reader: SessionReader) => this.readers.push(reader),
    platform: async (key: string) => this.records.get(key),
    changePlatform: async (
      key: string,
      change: (record: AppraisalRecord | undefined) => AppraisalRecord | undefined,
    ) => {
      const next = change(this.records.get(key));
      if (next === undefined) return this.records.get(key);
      this.put(next);
      return next;
    },
    dropPlatform: async (key: string) => void this.records.delete(key),
    dropRevocation: async () => undefined,
  } as unknown as SessionBucket;

  put(record: AppraisalRecord): void {
    this.records.set(record.key, record);
    this.writes++;
    this.readers.forEach((reader) => reader.platform(record));
  }

  private set(name: string, value: string): number {
    this.leases.set(name, { value, revision: ++this.revision });
    return this.revision;
  }
}
