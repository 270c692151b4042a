import { BUCKETS, SiegelError } from '#contracts';
import { ReplayCache, type ReplayStore, type ReplayVerdict } from '#pki';
import { isRevisionConflict, NATS_CONNECTION } from '#platform';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { hash } from 'node:crypto';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';

/** Longer than any proof counts for, by any replica's clock. */
const AGE_MS = 5 * 60_000;
const MAX_PROOFS = 50_000;

/**
 * The proofs that were given for a token of the Vault API, on all replicas: what such a proof yields is a bearer token, not something
 * sealed to the key that signed it.
 */
@Injectable()
export class LoginProofs implements ReplayStore, OnApplicationBootstrap {
  /** What this replica saw is refused even if the broker forgets it. */
  private readonly own = new ReplayCache({ maxEntries: MAX_PROOFS });
  private kv: KV | undefined;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.environment.SIEGEL_ANJUNA) return;
    this.kv = await new Kvm(jetstream(this.nats)).create(BUCKETS.loginProofs, {
      history: 1,
      ttl: AGE_MS,
      replicas: this.environment.SIEGEL_MANIFEST_REPLICAS,
      maxValueSize: 1_024,
      description: 'proofs that were given for tokens of the Vault API',
    });
  }

  /** @throws SiegelError STORE_UNAVAILABLE: then nobody knows whether another replica has seen it */
  async claim(id: string, expiresAt: Date, now: Date): Promise<ReplayVerdict> {
    const verdict = this.own.claim(id, expiresAt, now);
    if (verdict !== 'fresh') return verdict;
    if (!this.kv) throw unavailable('the store is not open yet', undefined);
    try {
      await this.kv.create(hash('sha256', id, 'hex'), '');
      return 'fresh';
    } catch (cause) {
      if (isRevisionConflict(cause)) return 'replayed';
      throw unavailable((cause as Error).message, cause);
    }
  }
}

const unavailable = (message: string, cause: unknown): SiegelError =>
  new SiegelError('STORE_UNAVAILABLE', {
    detail: 'the store of login proofs did not answer',
    reason: { code: 'LOGIN_STORE_UNAVAILABLE', message: message.slice(0, 300) },
    ...(cause === undefined ? {} : { cause }),
  });
