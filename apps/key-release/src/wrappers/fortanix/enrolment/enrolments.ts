import { BUCKETS, SiegelError } from '#contracts';
import { PublicKey } from '#pki';
import { HealthRegistry, NATS_CONNECTION } from '#platform';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { z } from 'zod';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../../../environment.js';
import { SessionTokens, type SessionClaims } from '../../../session/session-token.js';
import { SealedTexts } from './sealed-text.js';

/** An hour longer than any certificate lives. */
const MAX_AGE_MS = 25 * 3_600_000;
const MAX_RECORD_CHARACTERS = 32 * 1024;

const StoredEnrolment = z.object({
  v: z.literal(1),
  certificate: z.string(),
  tenant: z.string(),
  /** SPKI of the certificate's key, base64. */
  spki: z.string(),
  ends: z.iso.datetime(),
  configId: z.string().optional(),
  session: z.looseObject({ expiresAt: z.iso.datetime() }),
});

/** A session that comes again with the certificate it was issued. */
export interface Enrolment {
  /** SHA-256 of the certificate, hex. */
  readonly certificate: string;
  readonly tenant: string;
  readonly key: PublicKey;
  readonly session: SessionClaims;
  /** Hex. */
  readonly configId?: string;
}

/**
 * What a certificate was issued for, by its SHA-256, where every replica finds it: the bucket `BUCKETS.enrolments`. NATS is not
 * trusted with it: records are authenticated, name their certificate, and end by themselves. One that is lost costs an attestation.
 */
@Injectable()
export class Enrolments implements OnApplicationBootstrap {
  private readonly texts: SealedTexts;
  private kv: KV | undefined;

  constructor(
    private readonly tokens: SessionTokens,
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    private readonly health: HealthRegistry,
  ) {
    this.texts = SealedTexts.fromFile(environment.SIEGEL_CHALLENGE_KEY_FILE, 'enrolment');
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.environment.SIEGEL_FORTANIX) return;
    this.health.register('enrolments', () => ({ ok: this.kv !== undefined }));
    this.kv = await new Kvm(jetstream(this.nats)).create(BUCKETS.enrolments, {
      history: 1,
      ttl: MAX_AGE_MS,
      replicas: this.environment.SIEGEL_MANIFEST_REPLICAS,
      maxValueSize: MAX_RECORD_CHARACTERS,
      description: 'authenticated records of issued certificates',
    });
  }

  /** @throws SiegelError STORE_UNAVAILABLE; then the certificate must not leave */
  async remember(
    certificate: string,
    enrolled: { tenant: string; token: string; key: PublicKey; ends: Date; configId: Buffer | undefined },
  ): Promise<void> {
    const { tenant, token, key, ends, configId } = enrolled;
    const session = await this.tokens.open(token, new Date());
    const record = {
      v: 1,
      certificate,
      tenant,
      spki: key.spki.toString('base64'),
      ends: ends.toISOString(),
      ...(configId ? { configId: configId.toString('hex') } : {}),
      session,
    };
    await this.answered((kv) => kv.put(certificate, this.texts.seal(JSON.stringify(record))));
  }

  /** @throws SiegelError CLIENT_CERTIFICATE_INVALID, STORE_UNAVAILABLE */
  async find(certificate: string, now: Date): Promise<Enrolment> {
    const entry = await this.answered((kv) => kv.get(certificate));
    if (entry?.operation !== 'PUT')
      throw unknown('CERTIFICATE_UNKNOWN', 'it was not issued here, or long ago');
    const text = this.texts.open(entry.string());
    if (text === undefined)
      throw unknown('ENROLMENT_NOT_AUTHENTIC', 'the record of the certificate is not ours');
    const record = StoredEnrolment.parse(JSON.parse(text));
    if (record.certificate !== certificate)
      throw unknown('ENROLMENT_FOREIGN', 'the record is of another certificate');
    if (Date.parse(record.ends) <= now.getTime())
      throw unknown('CERTIFICATE_OVER', `the certificate or its session ended at ${record.ends}`);
    return {
      certificate,
      tenant: record.tenant,
      key: PublicKey.fromSpki(Buffer.from(record.spki, 'base64')),
      session: {
        ...record.session,
        expiresAt: new Date(record.session.expiresAt),
      } as unknown as SessionClaims,
      ...(record.configId === undefined ? {} : { configId: record.configId }),
    };
  }

  private async answered<T>(operation: (kv: KV) => Promise<T>): Promise<T> {
    try {
      if (!this.kv) throw new Error('the bucket is not open yet');
      return await operation(this.kv);
    } catch (cause) {
      throw new SiegelError('STORE_UNAVAILABLE', {
        detail: 'the store of enrolments did not answer',
        reason: { code: 'ENROLMENTS_UNAVAILABLE', message: (cause as Error).message.slice(0, 300) },
        cause,
      });
    }
  }
}

const unknown = (code: string, message: string): SiegelError =>
  new SiegelError('CLIENT_CERTIFICATE_INVALID', { reason: { code, message } });
