import type { Appraisal, AppraisalRecord, AppraisalUse, VerdictClaims } from '#contracts';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { appraisalOf, mergeUses, sameFinding, supersedes, useName } from './appraisal.js';
import { AppraisalMetrics } from './appraisal-metrics.js';
import { SessionBucket } from './session-bucket.js';
import { WriteQueue } from './write-queue.js';

/** A use is written as lasting longer than its session by this part of its lifetime, so that a fleet's boots share one record. */
const ROUNDING = 4;
const LEAST_ROUNDING_MS = 3_600_000;
/** Granted sessions alone make records; more platforms than this are not tracked, and their sessions not renewed. */
const MAX_PLATFORMS = 250_000;

/** A session that was granted by a verdict. */
export interface OpenedSession {
  readonly verdict: VerdictClaims;
  readonly evidence: Uint8Array;
  readonly format: AppraisalRecord['sample']['format'];
  readonly tenant: string;
  readonly workload: string;
  readonly startedAt: number;
  readonly endsAt: number;
}

/** A platform as this replica knows it; the evidence stays in the bucket. */
export interface KnownPlatform {
  readonly key: string;
  readonly tee: 'sgx' | 'tdx';
  readonly fmspc: string;
  readonly simulated: boolean;
  readonly appraisal: Appraisal;
  /** Time of the appraisal, in milliseconds. */
  readonly at: number;
  /** By tenant and workload. */
  readonly uses: ReadonlyMap<string, AppraisalUse & { readonly untilMs: number }>;
  /** Its record is in the bucket, or on its way. */
  readonly kept: boolean;
}

/**
 * The platforms that live sessions rest on: one per appraisal key, not one per session. A granted session costs a look-up while its
 * platform is known by the same collateral; what is new is written to the bucket in the background.
 */
@Injectable()
export class PlatformRegistry implements OnModuleDestroy {
  private readonly platforms = new Map<string, KnownPlatform>();
  private readonly writes: WriteQueue<AppraisalRecord>;
  private readonly maxAgeMs: number;
  private suspected: (key: string) => void = () => undefined;

  constructor(
    private readonly bucket: SessionBucket,
    private readonly metrics: AppraisalMetrics,
    @Inject(KEY_RELEASE_ENVIRONMENT) environment: KeyReleaseEnvironment,
  ) {
    this.maxAgeMs = environment.SIEGEL_APPRAISAL_MAX_AGE_SECONDS * 1_000;
    this.writes = new WriteQueue(
      (key, record) => this.write(key, record),
      (a, b) => this.merged(a, b),
    );
    bucket.onRecord({
      platform: (record) => this.learn(record),
      platformGone: (key) => this.gone(key),
      revoked: () => undefined,
    });
  }

  /** Calls with platforms whose status may have changed: a verdict rests on newer collateral and finds something else. */
  onSuspicion(listener: (key: string) => void): void {
    this.suspected = listener;
  }

  async onModuleDestroy(): Promise<void> {
    await this.writes.close();
  }

  /** On the way of every granted attestation. */
  opened(session: OpenedSession): void {
    const { verdict, endsAt } = session;
    const { appraisalKey: key, collateral } = verdict;
    if (key === undefined || collateral === undefined) return;
    const known = this.platforms.get(key);
    const covered =
      known?.kept === true &&
      (known.uses.get(useName(session.tenant, session.workload))?.untilMs ?? 0) >= endsAt;
    if (covered && known.appraisal.collateral.id === collateral.id && this.isFresh(known)) return;
    this.note(key, known, covered, session);
  }

  get(key: string): KnownPlatform | undefined {
    return this.platforms.get(key);
  }

  all(): IterableIterator<KnownPlatform> {
    return this.platforms.values();
  }

  /** Whether the last appraisal is recent enough to renew tokens by it. */
  isFresh({ at }: KnownPlatform): boolean {
    return Date.now() - at < this.maxAgeMs;
  }

  supersedes(next: Appraisal, known: Appraisal): boolean {
    return supersedes(next, known, this.maxAgeMs);
  }

  /** Takes over what stands in the bucket, or is about to. Never forgets a revocation, a use, or a newer appraisal. */
  learn(record: AppraisalRecord): void {
    const known = this.platforms.get(record.key);
    if (known === undefined && this.platforms.size >= MAX_PLATFORMS) return;
    const appraisal =
      known !== undefined && !this.supersedes(record.appraisal, known.appraisal)
        ? known.appraisal
        : record.appraisal;
    const uses = mergeUses(known === undefined ? [] : [...known.uses.values()], record.uses);
    this.platforms.set(record.key, {
      key: record.key,
      tee: record.tee,
      fmspc: record.fmspc,
      simulated: record.simulated,
      appraisal,
      at: Date.parse(appraisal.at),
      uses: new Map(
        uses.map((use) => [useName(use.tenant, use.workload), { ...use, untilMs: Date.parse(use.until) }]),
      ),
      kept: true,
    });
    this.metrics.platforms(this.platforms.size);
  }

  /** Forgets platforms without live sessions. Gives their keys. */
  prune(now: number): string[] {
    const ended = [...this.platforms.values()].filter(({ uses }) => hasEnded([...uses.values()], now));
    for (const { key } of ended) this.platforms.delete(key);
    this.metrics.platforms(this.platforms.size);
    return ended.map(({ key }) => key);
  }

  private note(
    key: string,
    known: KnownPlatform | undefined,
    covered: boolean,
    session: OpenedSession,
  ): void {
    const { verdict, startedAt, endsAt } = session;
    const found = appraisalOf(verdict);
    const claims = verdict.claims;
    if (found === undefined || claims === undefined) return;
    if (known === undefined && this.platforms.size >= MAX_PLATFORMS) return;
    const news = known !== undefined && this.supersedes(found, known.appraisal);
    const changed = known !== undefined && !sameFinding(found, known.appraisal);
    // A change of status has consequences for other sessions: it is for the reappraisal to find and to log, once.
    if (news && changed) this.suspected(key);
    // A verifier that is behind the others has nothing to tell.
    if (covered && (changed || !news)) return;
    const until = endsAt + Math.max(LEAST_ROUNDING_MS, (endsAt - startedAt) / ROUNDING);
    const record: AppraisalRecord = {
      v: 1,
      key,
      tee: claims.tee,
      fmspc: claims.fmspc,
      simulated: claims.simulated,
      appraisal: known === undefined || (news && !changed) ? found : known.appraisal,
      sample: { format: session.format, evidence: Buffer.from(session.evidence).toString('base64url') },
      uses: [{ tenant: session.tenant, workload: session.workload, until: new Date(until).toISOString() }],
    };
    this.learn(record);
    this.writes.push(key, record);
  }

  private async write(key: string, record: AppraisalRecord): Promise<void> {
    const written = await this.bucket.changePlatform(key, (existing) =>
      existing === undefined ? record : this.merged(existing, record),
    );
    if (written !== undefined) this.learn(written);
  }

  private merged(known: AppraisalRecord, next: AppraisalRecord): AppraisalRecord {
    const news =
      this.supersedes(next.appraisal, known.appraisal) && sameFinding(next.appraisal, known.appraisal);
    return {
      ...known,
      appraisal: news ? next.appraisal : known.appraisal,
      sample: next.sample,
      uses: mergeUses(known.uses, next.uses).filter(({ until }) => Date.parse(until) > Date.now()),
    };
  }

  /** A record is gone: rightly, if its sessions have ended; else the next attestation on the platform brings evidence again. */
  private gone(key: string): void {
    const known = this.platforms.get(key);
    if (known === undefined) return;
    if (hasEnded([...known.uses.values()], Date.now())) this.platforms.delete(key);
    else this.platforms.set(key, { ...known, kept: false });
  }
}

export const hasEnded = (uses: readonly AppraisalUse[], now: number): boolean =>
  uses.every(({ until }) => Date.parse(until) <= now);
