import { SiegelError, SUBJECTS } from '#contracts';
import type { AuditEmitter } from '#emitter';
import { NATS_CONNECTION } from '#platform';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { z } from 'zod';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ManifestStore } from '../manifests/manifest-store.js';
import { VerificationClient } from '../pipeline/verification.js';
import { appraisalOf, mergeUses, sameFinding } from './appraisal.js';
import { AppraisalMetrics } from './appraisal-metrics.js';
import { DegradedSessions } from './degraded-sessions.js';
import { Lease } from './lease.js';
import { hasEnded, PlatformRegistry, type KnownPlatform } from './platform-registry.js';
import { RevokedSessions } from './revoked-sessions.js';
import { SessionBucket } from './session-bucket.js';

const LEASE = 'l.reappraisal';
const AT_ONCE = 4;
const START_PAUSE_MS = 1_000;
/** Hints come over a broker that is not trusted: they cost one round per platform in so long a time, whoever sends how many. */
const COLLECT_MS = 500;
const LEASE_POLL_MS = 500;
/** A replica that waits goes ahead when nothing has become less for so long. */
const PATIENCE_MS = 30_000;
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;

/** What a verifier says when its collateral changed. */
const Hint = z.object({ tee: z.enum(['sgx', 'tdx']), fmspc: z.string().regex(/^[0-9a-f]{12}$/) });

/**
 * Continuous appraisal: evidence of live sessions is judged again when collateral changes, now and then, and at start. One replica
 * does it; the others see the records change. A hint that is lost costs time until the next round, nothing else.
 */
@Injectable()
export class Reappraisal implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger(Reappraisal.name);
  private readonly lease: Lease;
  /** Platforms to judge again; a later verdict than `since` (ms) will do, whichever replica got it. */
  private readonly wanted = new Map<string, { readonly since: number }>();
  private subscription: Subscription | undefined;
  private interval: NodeJS.Timeout | undefined;
  private startTimer: NodeJS.Timeout | undefined;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private failures = 0;
  private closed = false;

  constructor(
    @Inject(NATS_CONNECTION) private readonly nats: NatsConnection,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    private readonly verification: VerificationClient,
    private readonly platforms: PlatformRegistry,
    private readonly revoked: RevokedSessions,
    private readonly degraded: DegradedSessions,
    private readonly bucket: SessionBucket,
    private readonly manifests: ManifestStore,
    private readonly metrics: AppraisalMetrics,
  ) {
    this.lease = new Lease(() => bucket.bucket(), LEASE);
    platforms.onSuspicion((key) => this.want((platform) => platform.key === key));
  }

  onApplicationBootstrap(): void {
    this.subscription = this.nats.subscribe(SUBJECTS.collateralChanged, {
      callback: (error, message) => {
        if (!error) this.hinted(message.data);
      },
    });
    this.interval = setInterval(
      () => this.round(),
      this.environment.SIEGEL_APPRAISAL_INTERVAL_SECONDS * 1_000,
    );
    this.interval.unref();
    // What changed while no replica was there has been announced to nobody.
    this.firstRound();
  }

  async onModuleDestroy(): Promise<void> {
    this.closed = true;
    clearInterval(this.interval);
    clearTimeout(this.startTimer);
    clearTimeout(this.timer);
    this.subscription?.unsubscribe();
    await this.running;
  }

  private round(): void {
    this.want(() => true);
  }

  private hinted(data: Uint8Array): void {
    let hint: z.infer<typeof Hint>;
    try {
      hint = Hint.parse(JSON.parse(Buffer.from(data).toString('utf8')));
    } catch {
      return;
    }
    this.want(({ tee, fmspc }) => tee === hint.tee && fmspc === hint.fmspc);
  }

  private want(which: (platform: KnownPlatform) => boolean): void {
    // Verdicts tell their time in whole seconds.
    const since = Math.floor(Date.now() / 1_000) * 1_000;
    for (const platform of this.platforms.all())
      if (which(platform)) this.wanted.set(platform.key, { since });
    this.schedule(COLLECT_MS);
  }

  private schedule(pauseMs: number): void {
    if (this.closed || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.begin();
    }, pauseMs);
    this.timer.unref();
  }

  /** At start the bucket may not be read yet, and other services may start as well. */
  private firstRound(): void {
    this.startTimer = setTimeout(() => {
      if (this.bucket.complete && this.manifests.complete) this.round();
      else this.firstRound();
    }, START_PAUSE_MS).unref();
  }

  private begin(): void {
    if (this.running !== undefined || this.closed) return;
    this.running = this.work()
      .then(
        () => (this.failures = 0),
        (error: unknown) => {
          this.failures++;
          this.log.warn(
            `${this.wanted.size} platforms could not be appraised again yet: ${(error as Error).message}`,
          );
        },
      )
      .then(() => {
        this.running = undefined;
        const pause =
          this.failures === 0
            ? COLLECT_MS
            : Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 10), LONGEST_PAUSE_MS);
        if (this.wanted.size > 0) this.schedule(pause);
      });
  }

  private async work(): Promise<void> {
    // Nothing may change that the log does not learn of.
    if (!this.audit.available) throw new Error('the audit log does not answer');
    if (!this.bucket.complete || !this.manifests.complete) throw new Error('the service is starting');
    await this.myTurn();
    try {
      await this.prune();
      this.skipDone();
      const keys = [...this.wanted.keys()];
      let failure: unknown;
      for (let at = 0; at < keys.length && !this.closed; at += AT_ONCE) {
        await this.lease.take();
        const results = await Promise.allSettled(
          keys.slice(at, at + AT_ONCE).map((key) => this.appraise(key)),
        );
        for (const result of results) if (result.status === 'rejected') failure ??= result.reason;
        // Without a verifier nothing goes; without one platform's collateral the others do.
        if (failure instanceof SiegelError && failure.code === 'VERIFIER_UNAVAILABLE') break;
      }
      if (failure !== undefined) throw failure as Error;
    } finally {
      await this.lease.release();
    }
  }

  /** Waits while another replica is at it, and sees what is left. */
  private async myTurn(): Promise<void> {
    let left = this.wanted.size;
    let patience = performance.now() + PATIENCE_MS;
    while (!this.closed && !(await this.lease.take()) && performance.now() < patience) {
      await new Promise((resolve) => setTimeout(resolve, LEASE_POLL_MS));
      this.skipDone();
      if (this.wanted.size === 0) return;
      if (this.wanted.size < left) {
        left = this.wanted.size;
        patience = performance.now() + PATIENCE_MS;
      }
    }
  }

  private skipDone(): void {
    for (const [key, { since }] of this.wanted) {
      const platform = this.platforms.get(key);
      if (platform === undefined || platform.at > since) this.wanted.delete(key);
    }
  }

  /** @throws Error if there is no verdict now; the platform stays wanted then */
  private async appraise(key: string): Promise<void> {
    const asked = this.wanted.get(key);
    const record = await this.bucket.platform(key);
    const now = Date.now();
    const use = record?.uses.find(({ until }) => Date.parse(until) > now);
    if (record === undefined || use === undefined) {
      // Ended, or not written yet; an attestation brings it again.
      this.wanted.delete(key);
      return;
    }
    try {
      const verdict = await this.verification.verify({
        tenant: use.tenant,
        format: record.sample.format,
        evidence: Buffer.from(record.sample.evidence, 'base64url'),
      });
      const found = appraisalOf(verdict);
      const known = this.platforms.get(key)?.appraisal ?? record.appraisal;
      const before = this.platforms.supersedes(record.appraisal, known) ? record.appraisal : known;
      if (found === undefined || (verdict.verified && verdict.appraisalKey !== key)) {
        this.log.warn(`platform ${key} was not judged: ${verdict.error?.code ?? 'of another key'}`);
        this.metrics.reappraised('none');
      } else if (!this.platforms.supersedes(found, before)) {
        this.metrics.reappraised('unchanged');
      } else {
        const changed = !sameFinding(found, before);
        const revocations = changed
          ? await this.degraded.report({
              before,
              after: found,
              uses: record.uses,
              simulated: record.simulated,
              verdict,
              now,
            })
          : [];
        const written = await this.bucket.changePlatform(
          key,
          (stored) =>
            stored && {
              ...stored,
              appraisal: this.platforms.supersedes(found, stored.appraisal) ? found : stored.appraisal,
              uses: mergeUses(stored.uses, revocations).filter(({ until }) => Date.parse(until) > now),
            },
        );
        if (written !== undefined) this.platforms.learn(written);
        this.metrics.reappraised(changed ? 'changed' : 'unchanged');
      }
    } catch (error) {
      this.metrics.reappraised('failed');
      throw error;
    }
    // A hint that came meanwhile is for another look.
    if (this.wanted.get(key) === asked) this.wanted.delete(key);
  }

  private async prune(): Promise<void> {
    const now = Date.now();
    for (const key of this.platforms.prune(now))
      await this.bucket.dropPlatform(key, ({ uses }) => hasEnded(uses, now));
    for (const record of this.revoked.prune(now)) await this.bucket.dropRevocation(record);
  }
}
