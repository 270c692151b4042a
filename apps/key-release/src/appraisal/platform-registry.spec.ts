import type { AppraisalRecord } from '#contracts';
import { describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import type { KeyReleaseEnvironment } from '../environment.js';
import type { SessionClaims } from '../session/session-token.js';
import { AppraisalMetrics } from './appraisal-metrics.js';
import { appraisal, collateral, KEY, verdict } from './appraisal-fixtures.js';
import { MemoryBucket } from './memory-bucket.js';
import { PlatformRegistry, type OpenedSession } from './platform-registry.js';
import type { RevokedSessions } from './revoked-sessions.js';
import { SessionStandings } from './session-standing.js';

const HOUR = 3_600_000;

const environment = { SIEGEL_APPRAISAL_MAX_AGE_SECONDS: 86_400 } as KeyReleaseEnvironment;
const replica = (store: MemoryBucket): PlatformRegistry =>
  new PlatformRegistry(store.bucket, new AppraisalMetrics(new Registry()), environment);
const opened = (change: Partial<OpenedSession> = {}): OpenedSession => ({
  verdict: verdict(),
  evidence: Buffer.from('evidence'),
  format: 'auto',
  tenant: 'default',
  workload: 'w',
  startedAt: Date.now(),
  endsAt: Date.now() + 24 * HOUR,
  ...change,
});
const written = () => new Promise((resolve) => setTimeout(resolve, 50));

describe('PlatformRegistry', () => {
  it('writes one record for all sessions of a platform, and none for what it has', async () => {
    const store = new MemoryBucket();
    const registry = replica(store);
    for (let n = 0; n < 100; n++) registry.opened(opened());
    await written();
    expect(store.writes).toBe(1);
    const record = store.records.get(KEY)!;
    expect(Buffer.from(record.sample.evidence, 'base64url').toString()).toBe('evidence');
    expect(Date.parse(record.uses[0]!.until)).toBeGreaterThan(Date.now() + 29 * HOUR);
    registry.opened(opened({ workload: 'x' }));
    registry.opened(opened({ endsAt: Date.now() + 29 * HOUR }));
    await written();
    expect(store.writes).toBe(2);
    expect(store.records.get(KEY)!.uses.map(({ workload }) => workload)).toEqual(['w', 'x']);
    registry.opened(opened({ endsAt: Date.now() + 48 * HOUR }));
    await written();
    expect(store.writes).toBe(3);
    await registry.onModuleDestroy();
  });

  it('tracks nothing for a verifier that does not say what its status rests on', async () => {
    const store = new MemoryBucket();
    const { appraisalKey: _key, ...old } = verdict();
    replica(store).opened(opened({ verdict: old }));
    await written();
    expect(store.writes).toBe(0);
  });

  it('leaves a changed status to the reappraisal, and takes newer collateral with the same status at once', async () => {
    const store = new MemoryBucket();
    const registry = replica(store);
    const suspected: string[] = [];
    registry.onSuspicion((key) => suspected.push(key));
    registry.opened(opened());
    await written();
    const newer = collateral({ id: 'c2'.repeat(32), tcbEvaluationDataNumber: 21 });
    registry.opened(opened({ verdict: verdict({ collateral: newer }, 'OutOfDate') }));
    await written();
    expect({ suspected, status: registry.get(KEY)!.appraisal.tcbStatus, writes: store.writes }).toEqual({
      suspected: [KEY],
      status: 'UpToDate',
      writes: 1,
    });
    registry.opened(opened({ verdict: verdict({ collateral: newer }) }));
    await written();
    expect(store.records.get(KEY)!.appraisal.collateral.tcbEvaluationDataNumber).toBe(21);
    // A verifier that is behind changes nothing and costs no write.
    for (let n = 0; n < 10; n++) registry.opened(opened());
    await written();
    expect(store.writes).toBe(2);
    expect(suspected).toEqual([KEY]);
  });

  it('an older record that the broker shows again neither clears a status nor lifts a revocation', async () => {
    const store = new MemoryBucket();
    const registry = replica(store);
    registry.opened(opened());
    await written();
    const before = store.records.get(KEY)!;
    const revokedAt = new Date().toISOString();
    const fallen: AppraisalRecord = {
      ...before,
      appraisal: appraisal({
        at: new Date().toISOString(),
        tcbStatus: 'OutOfDate',
        collateral: collateral({ tcbEvaluationDataNumber: 21 }),
      }),
      uses: before.uses.map((use) => ({ ...use, revokedAt })),
    };
    registry.learn(fallen);
    registry.learn(before);
    expect(registry.get(KEY)!.appraisal.tcbStatus).toBe('OutOfDate');
    expect(registry.get(KEY)!.uses.get('default/w')!.revokedAt).toBe(revokedAt);
  });

  it('asks for evidence again when a record is gone before its time, and forgets it after', async () => {
    const store = new MemoryBucket();
    const registry = replica(store);
    registry.opened(opened());
    await written();
    store.records.clear();
    store.readers.forEach((reader) => reader.platformGone(KEY));
    expect(registry.get(KEY)).toBeDefined();
    registry.opened(opened());
    await written();
    expect(store.records.has(KEY)).toBe(true);
    expect(registry.prune(Date.now())).toEqual([]);
    expect(registry.prune(Date.now() + 40 * HOUR)).toEqual([KEY]);
    expect(registry.get(KEY)).toBeUndefined();
  });
});

describe('SessionStandings', () => {
  const session = (change: Partial<SessionClaims> = {}): SessionClaims => {
    const { claims } = verdict();
    return {
      session: 's',
      tenant: 'default',
      workload: 'w',
      protocol: 'siegel',
      binding: 'sha256-spki',
      challenge: false,
      manifest: { version: 1, digest: '' },
      simulated: true,
      evidence: '',
      claims: { ...claims!, tcbDate: '2020-01-01T00:00:00Z', mrenclave: 'ab'.repeat(32) },
      collateral: collateral(),
      startedAt: Date.now() - HOUR,
      endsAt: Date.now() + HOUR,
      appraisalKey: KEY,
      appraisedAt: Date.now() - HOUR,
      tokenId: 't',
      expiresAt: new Date(),
      thumbprint: '',
      ...change,
    };
  };
  const none = { find: () => undefined } as unknown as RevokedSessions;
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const known = (change: Partial<AppraisalRecord> = {}): PlatformRegistry => {
    const registry = replica(new MemoryBucket());
    registry.learn({
      v: 1,
      key: KEY,
      tee: 'sgx',
      fmspc: '00606a000000',
      simulated: true,
      appraisal: appraisal({ at: at(-60_000), tcbStatus: 'OutOfDate', advisoryIds: ['INTEL-SA-00001'] }),
      sample: { format: 'auto', evidence: 'AA' },
      uses: [{ tenant: 'default', workload: 'w', until: at(HOUR) }],
      ...change,
    });
    return registry;
  };

  it('gives the platform’s present state with the enclave’s own claims', () => {
    const standing = new SessionStandings(known(), none).of(session());
    expect(standing).toMatchObject({
      renewable: true,
      claims: { tcbStatus: 'OutOfDate', advisoryIds: ['INTEL-SA-00001'], mrenclave: 'ab'.repeat(32) },
    });
    expect(standing.claims.tcbDate).toBeUndefined();
    expect(standing.revoked).toBeUndefined();
  });

  it('keeps what the token says where that rests on newer collateral', () => {
    const newer = collateral({ tcbEvaluationDataNumber: 21 });
    const standing = new SessionStandings(known(), none).of(session({ collateral: newer }));
    expect(standing).toMatchObject({ claims: { tcbStatus: 'UpToDate' }, collateral: newer });
  });

  it.each([
    ['an unknown platform', session({ appraisalKey: 'cd'.repeat(32) }), {}],
    ['a workload that does not stand there', session({ workload: 'x' }), {}],
    ['a platform that was not judged for a day', session(), { appraisal: appraisal({ at: at(-25 * HOUR) }) }],
  ])('does not renew on %s', (_name, claims, change) => {
    const standing = new SessionStandings(known(change), none).of(claims);
    expect(standing.renewable).toBe(false);
    expect(standing.revoked).toBeUndefined();
  });

  it('a token of before continuous appraisal is served as it was', () => {
    const { appraisalKey: _key, startedAt: _start, endsAt: _end, appraisedAt: _at, ...old } = session();
    const standing = new SessionStandings(known(), none).of(old);
    expect(standing).toMatchObject({ renewable: false, claims: { tcbStatus: 'UpToDate' } });
  });

  it('ends the sessions that began before the platform was revoked, and no later one', () => {
    const revoked = known({
      uses: [{ tenant: 'default', workload: 'w', until: at(HOUR), revokedAt: at(-60_000) }],
    });
    const standings = new SessionStandings(revoked, none);
    expect(standings.of(session()).revoked).toMatchObject({ code: 'SESSION_REVOKED' });
    expect(standings.of(session({ startedAt: Date.now() })).revoked).toBeUndefined();
  });

  it('ends a session that an administrator revoked, whatever its platform', () => {
    const record = { revokedAt: at(0), actor: 'admin-token' };
    const one = {
      find: (tenant: string, id: string) => (tenant === 'default' && id === 's' ? record : undefined),
    } as unknown as RevokedSessions;
    const standings = new SessionStandings(replica(new MemoryBucket()), one);
    expect(standings.of(session()).revoked).toMatchObject({ code: 'SESSION_REVOKED' });
    expect(standings.of(session({ session: 'other' })).revoked).toBeUndefined();
  });
});
