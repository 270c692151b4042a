import { BUCKETS, SiegelError } from '#contracts';
import { isRevisionConflict, NATS_CONNECTION } from '#platform';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { hash } from 'node:crypto';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { SealedRecords } from '../session/session-record.js';
import { readSealingKey } from '../settings-file.js';

/** Longer than any token is taken for. */
const AGE_MS = 26 * 3_600_000;

/** Who showed a bearer token, or used a one-time password, first; on all replicas. */
@Injectable()
export class FirstUses implements OnApplicationBootstrap {
  private kv: KV | undefined;
  private records: SealedRecords | undefined;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.environment.SIEGEL_SCONE_PORT === 0) return;
    this.records = new SealedRecords(readSealingKey(this.environment), 'first use');
    this.kv = await new Kvm(jetstream(this.nats)).create(BUCKETS.sconeTokens, {
      history: 1,
      ttl: AGE_MS,
      replicas: this.environment.SIEGEL_MANIFEST_REPLICAS,
      maxValueSize: 1_024,
      description: 'by whom tokens of foreign CAS were shown first',
    });
  }

  /** True for the first user of a thing, and for that user again. @throws SiegelError STORE_UNAVAILABLE */
  async claim(tenant: string, thing: string, user: string): Promise<boolean> {
    const { kv, records } = this;
    if (!kv || !records) throw unavailable('the store is not open yet', undefined);
    const key = `${tenant}.${hash('sha256', thing, 'hex')}`;
    try {
      await kv.create(key, records.seal(key, { user }));
      return true;
    } catch (cause) {
      if (!isRevisionConflict(cause)) throw unavailable((cause as Error).message, cause);
    }
    try {
      const entry = await kv.get(key);
      const record = entry && (records.open(key, entry.value) as { user?: unknown } | undefined);
      return record?.user === user;
    } catch (cause) {
      throw unavailable((cause as Error).message, cause);
    }
  }
}

const unavailable = (message: string, cause: unknown): SiegelError =>
  new SiegelError('STORE_UNAVAILABLE', {
    detail: 'the store of shown tokens did not answer',
    reason: { code: 'SCONE_STORE_UNAVAILABLE', message: message.slice(0, 300) },
    ...(cause === undefined ? {} : { cause }),
  });
