import { SiegelError, type AppraisalRecord, type VerdictClaims } from '#contracts';
import type { AuditEmitter, EventDraft } from '#emitter';
import { compileManifest, parseManifest } from '#policy';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { NatsConnection } from '@nats-io/transport-node';
import { Registry } from 'prom-client';
import type { KeyReleaseEnvironment } from '../environment.js';
import type { ManifestStore } from '../manifests/manifest-store.js';
import type { VerificationClient } from '../pipeline/verification.js';
import { AppraisalMetrics } from './appraisal-metrics.js';
import { appraisal, collateral, KEY, verdict } from './appraisal-fixtures.js';
import { DegradedSessions } from './degraded-sessions.js';
import { MemoryBucket } from './memory-bucket.js';
import { PlatformRegistry } from './platform-registry.js';
import { Reappraisal } from './reappraisal.js';
import type { RevokedSessions } from './revoked-sessions.js';

const HOUR = 3_600_000;
const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
const OTHER = 'cd'.repeat(32);
const newer = collateral({ id: 'c2'.repeat(32), tcbEvaluationDataNumber: 21 });
const hint = Buffer.from(JSON.stringify({ tee: 'sgx', fmspc: '00606a000000', previousId: '', id: '' }));

const manifest = (session: string) => {
  const parsed = parseManifest(
    `siegel: v1\nworkloads:\n  w: { identity: { mrenclave: [${'ab'.repeat(32)}] }, certificate: {}, session: ${session} }`,
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return compileManifest(parsed.manifest);
};
const manifests = {
  complete: true,
  inForce: (tenant: string) => ({
    compiled: manifest(tenant === 'strict' ? '{ onDegraded: revoke }' : '{ ttl: 15m }'),
  }),
} as unknown as ManifestStore;

const record = (change: Partial<AppraisalRecord> = {}): AppraisalRecord => ({
  v: 1,
  key: KEY,
  tee: 'sgx',
  fmspc: '00606a000000',
  simulated: true,
  appraisal: appraisal({ at: at(-HOUR) }),
  sample: { format: 'auto', evidence: 'AAAA' },
  uses: [
    { tenant: 'default', workload: 'w', until: at(HOUR) },
    { tenant: 'strict', workload: 'w', until: at(HOUR) },
  ],
  ...change,
});

/** Key-release replicas before one bucket, one verifier and one log. */
class Fleet {
  readonly store = new MemoryBucket();
  readonly events: EventDraft[] = [];
  asked = 0;
  verifier: () => VerdictClaims = () => verdict({ collateral: newer }, 'OutOfDate');
  audit = { available: true };
  private readonly replicas: Reappraisal[] = [];
  private readonly hints: ((data: Buffer) => void)[] = [];

  start(): { registry: PlatformRegistry } {
    const environment = {
      SIEGEL_APPRAISAL_INTERVAL_SECONDS: 3_600,
      SIEGEL_APPRAISAL_MAX_AGE_SECONDS: 86_400,
    } as KeyReleaseEnvironment;
    const nats = {
      subscribe: (_subject: string, { callback }: { callback: (error: null, message: object) => void }) => {
        this.hints.push((data) => callback(null, { data }));
        return { unsubscribe: () => undefined };
      },
    } as unknown as NatsConnection;
    const isAvailable = (): boolean => this.audit.available;
    const audit = {
      get available() {
        return isAvailable();
      },
      record: async (event: EventDraft) => void this.events.push(event),
    } as unknown as AuditEmitter;
    const verification = {
      verify: async () => {
        this.asked++;
        await new Promise((resolve) => setTimeout(resolve, 20));
        return this.verifier();
      },
    } as unknown as VerificationClient;
    const metrics = new AppraisalMetrics(new Registry());
    const registry = new PlatformRegistry(this.store.bucket, metrics, environment);
    for (const known of this.store.records.values()) registry.learn(known);
    const reappraisal = new Reappraisal(
      nats,
      environment,
      audit,
      verification,
      registry,
      { prune: () => [] } as unknown as RevokedSessions,
      new DegradedSessions(manifests, audit, metrics),
      this.store.bucket,
      manifests,
      metrics,
    );
    reappraisal.onApplicationBootstrap();
    this.replicas.push(reappraisal);
    return { registry };
  }

  hint(data: Buffer = hint): void {
    this.hints.forEach((send) => send(data));
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.onModuleDestroy()));
  }

  types(): string[] {
    return this.events.map(({ type, tenant }) => `${tenant} ${type}`);
  }
}

async function until(what: () => boolean, patienceMs = 8_000): Promise<void> {
  for (const end = Date.now() + patienceMs; !what();) {
    if (Date.now() > end) throw new Error(`not in time: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('Reappraisal', () => {
  let fleet: Fleet;
  afterEach(() => fleet.stop());

  it('one replica asks and reports, all replicas know; each tenant by its own manifest', async () => {
    fleet = new Fleet();
    fleet.store.put(record());
    const replicas = [fleet.start(), fleet.start(), fleet.start()];
    fleet.hint();
    await until(() => fleet.events.length >= 3);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(fleet.types()).toEqual([
      'default session.reappraised',
      'strict session.reappraised',
      'strict session.revoked',
    ]);
    for (const { registry } of replicas) {
      const known = registry.get(KEY)!;
      expect(known.appraisal.tcbStatus).toBe('OutOfDate');
      expect(known.uses.get('default/w')!.revokedAt).toBeUndefined();
      expect(known.uses.get('strict/w')!.revokedAt).toBeDefined();
    }
    // Nothing of another tenant's enclave but what is the platform's.
    const [event] = fleet.events;
    expect(JSON.stringify(event)).not.toMatch(/mrenclave|reportData|isvSvn/);
  });

  it('hints that are none, or for other platforms, cost nothing', async () => {
    fleet = new Fleet();
    fleet.store.put(record({ appraisal: appraisal({ at: at(0) }) }));
    fleet.start();
    fleet.verifier = () => verdict();
    // The round at the start.
    await until(() => fleet.asked === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const foreign = JSON.stringify({ tee: 'tdx', fmspc: '00606a000000' });
    for (const data of ['', '{', '{"tee":"sgx"}', '{"tee":"sgx","fmspc":"*"}', foreign])
      fleet.hint(Buffer.from(data));
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(fleet.asked).toBe(1);
    expect(fleet.events).toEqual([]);
  });

  it('a verifier that is away is asked again; one platform that fails does not keep the others waiting', async () => {
    fleet = new Fleet();
    fleet.store.put(record({ key: OTHER }));
    fleet.store.put(record());
    let failures = 1;
    fleet.verifier = () => {
      if (failures-- > 0) throw new SiegelError('COLLATERAL_UNAVAILABLE');
      return verdict({ collateral: newer, appraisalKey: fleet.asked === 2 ? KEY : OTHER }, 'OutOfDate');
    };
    const { registry } = fleet.start();
    fleet.hint();
    await until(() => registry.get(KEY)!.appraisal.tcbStatus === 'OutOfDate');
    expect(registry.get(OTHER)!.appraisal.tcbStatus).toBe('UpToDate');
    await until(() => registry.get(OTHER)!.appraisal.tcbStatus === 'OutOfDate');
  });

  it('nothing is changed while the log could not learn of it', async () => {
    fleet = new Fleet();
    fleet.store.put(record());
    fleet.audit.available = false;
    const { registry } = fleet.start();
    fleet.hint();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect({ asked: fleet.asked, status: registry.get(KEY)!.appraisal.tcbStatus }).toEqual({
      asked: 0,
      status: 'UpToDate',
    });
    fleet.audit.available = true;
    await until(() => fleet.events.length === 3);
  });

  it.each([
    [
      'older collateral',
      () => verdict({ collateral: collateral({ tcbEvaluationDataNumber: 19 }) }, 'OutOfDate'),
    ],
    ['another platform', () => verdict({ appraisalKey: OTHER, collateral: newer }, 'OutOfDate')],
    [
      'expired collateral',
      () => {
        const error = { code: 'TCB_INFO_EXPIRED', message: '', step: 'collateral-time' };
        const { claims: _claims, ...refused } = verdict({ verified: false, error, collateral: newer });
        return refused;
      },
    ],
  ])('a verdict by %s changes nothing', async (_name, given) => {
    fleet = new Fleet();
    fleet.store.put(record());
    fleet.verifier = given;
    const { registry } = fleet.start();
    fleet.hint();
    await until(() => fleet.asked === 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(registry.get(KEY)!.appraisal.tcbStatus).toBe('UpToDate');
    expect(fleet.events).toEqual([]);
  });

  it('evidence that newer collateral refuses is revoked for every policy', async () => {
    fleet = new Fleet();
    fleet.store.put(record());
    const error = { code: 'PCK_REVOKED', message: '', step: 'pck-revocation' };
    const {
      claims: _claims,
      appraisalKey: _key,
      ...refused
    } = verdict({
      verified: false,
      error,
      collateral: newer,
    });
    fleet.verifier = () => refused;
    const { registry } = fleet.start();
    fleet.hint();
    await until(() => fleet.events.length === 3);
    expect(fleet.events[0]).toMatchObject({
      tcbStatus: 'Revoked',
      reason: { code: 'TCB_STATUS_NOT_ACCEPTED', message: expect.stringContaining('PCK_REVOKED') },
    });
    await until(() => registry.get(KEY)!.appraisal.refusal === 'PCK_REVOKED');
  });

  it('platforms whose sessions have ended are forgotten, in the bucket too', async () => {
    fleet = new Fleet();
    const ended = [{ tenant: 'default', workload: 'w', until: at(-1_000) }];
    fleet.store.put(record({ uses: ended }));
    const { registry } = fleet.start();
    await until(() => !fleet.store.records.has(KEY));
    expect(registry.get(KEY)).toBeUndefined();
    expect(fleet.asked).toBe(0);
  });
});
