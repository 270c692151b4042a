import { SUBJECTS } from '#contracts';
import type { NatsRequests } from '#platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { AuditDeployment, TestEmitter, until } from './audit-deployment.js';
import { envSecret, eventually, manifestOf, type RunningSiegel, startSiegel } from './harness/index.js';

interface Info {
  kept: boolean;
  collateral?: string;
  collateralKept?: boolean;
  events: { event: { id: string; type: string } }[];
}

describe('evidence of enclaves that attest', () => {
  let siegel: RunningSiegel;
  let digest: string;
  let denied: string;
  const api = (path: string) =>
    fetch(`${siegel.endpoints.audit}${path}`, {
      headers: { authorization: `Bearer ${readFileSync(siegel.layout.auditToken, 'utf8').trim()}` },
    });
  const evidenceOf = async (type: string) => {
    const found = (await siegel.log.all()).find(({ event }) => event.type === type);
    return (found!.event['data'] as { evidence: { sha256: string } }).evidence.sha256;
  };

  beforeAll(async () => {
    siegel = await startSiegel({
      args: ['--env', 'SIEGEL_AUDIT_EVIDENCE=granted', '--env', 'SIEGEL_RETAIN_EVIDENCE=verified'],
      secrets: { password: 'swordfish' },
      manifest: manifestOf({ fleet: { secrets: [envSecret('password', 'PASSWORD')] } }),
    });
    await siegel.machines.enclave('fleet').attest(siegel.service);
    await siegel.machines
      .enclave('stranger')
      .attest(siegel.service)
      .catch(() => undefined);
    digest = await evidenceOf('attestation.granted');
    denied = await evidenceOf('attestation.denied');
  }, 90_000);
  afterAll(() => siegel?.stop());

  it('is kept byte for byte, with the collateral that it was judged with', async () => {
    await eventually('kept evidence', async () => {
      const info = (await (await api(`/v1/evidence/${digest}/info`)).json()) as Info;
      return info.kept && info.collateralKept;
    });
    const bytes = Buffer.from(await (await api(`/v1/evidence/${digest}`)).arrayBuffer());
    expect(hash('sha256', bytes)).toBe(digest);
    await eventually('the event of the download', async () => {
      const events = await siegel.log.all();
      return events.some(
        ({ event }) =>
          event.type === 'evidence.read' && (event['data'] as { sha256: string }).sha256 === digest,
      );
    });
  });

  it('verifies again, offline, at the time of its event', async () => {
    const terminal = recordingTerminal({ cwd: siegel.state });
    const files = ['--out', 'quote.bin', '--collateral-out', 'bundle.json'];
    const root = ['--trust-root', siegel.layout.simulatedRoot];
    const target = ['--state', siegel.state];
    const code = await run(
      ['audit', 'evidence', digest, ...files, '--verify', ...root, '--json', ...target],
      terminal,
    );
    expect({ code, err: terminal.written.err }).toEqual({ code: 0, err: '' });
    const { at, report } = JSON.parse(terminal.written.out) as { at: string; report: { verified: boolean } };
    expect(report).toMatchObject({ verified: true, tcbStatus: 'UpToDate' });
    const again = recordingTerminal({ cwd: siegel.state });
    const args = ['verify', 'quote.bin', '--collateral', 'bundle.json', '--at', at, ...root, '--json'];
    expect(await run(args, again)).toBe(0);
    expect(JSON.parse(again.written.out)).toMatchObject({ verified: true });
    // A year later the same collateral has expired: the time of the event matters.
    const later = recordingTerminal({ cwd: siegel.state });
    args[5] = new Date(Date.parse(at) + 365 * 86_400_000).toISOString();
    expect(await run(args, later)).toBe(1);
  });

  it('of a denial is not kept, and says so', async () => {
    const response = await api(`/v1/evidence/${denied}`);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      410,
      'EVIDENCE_NOT_KEPT',
    ]);
  });
});

describe('the evidence API', () => {
  const deployment = new AuditDeployment({
    SIEGEL_AUDIT_EVIDENCE: 'granted',
    SIEGEL_AUDIT_EVIDENCE_GRACE_SECONDS: '1',
  });
  let requests: NatsRequests;
  let emitter: TestEmitter;
  const quote = randomBytes(4_000);
  const sha256 = hash('sha256', quote);
  const hand = async (bytes: Buffer, collateral?: string) =>
    JSON.parse(
      Buffer.from(
        await requests.request(
          SUBJECTS.auditEvidence,
          JSON.stringify({
            v: 1,
            evidence: bytes.toString('base64url'),
            ...(collateral ? { collateral } : {}),
          }),
          5_000,
        ),
      ).toString(),
    ) as { collateralWanted: boolean };
  const grant = async (digest: string) => {
    const { id, entry } = emitter.event({
      type: 'attestation.granted',
      outcome: 'granted',
      reason: undefined as never,
      data: {
        protocol: 'native',
        evidence: { sha256: digest, format: 'dcap' },
        boundKey: 'k',
        binding: 'b',
        challenge: false,
        manifest: { version: 1, digest },
        grants: [],
        tokenId: 't',
      } as never,
    });
    await requests.request(SUBJECTS.auditAppend, entry, 5_000);
    return id;
  };
  const info = (digest: string) => deployment.json<Info>(`/v1/evidence/${digest}/info`);

  beforeAll(async () => {
    await deployment.start();
    requests = await deployment.requests();
    emitter = new TestEmitter(deployment.emitterKey);
  }, 60_000);
  afterAll(() => deployment.close());

  it('keeps what an event names, over a restart, and nothing that none names', async () => {
    const stray = randomBytes(100);
    await hand(quote);
    await hand(stray);
    const id = await grant(sha256);
    await until(async () => (await info(sha256)).kept, 5_000, 'not kept');
    expect((await info(sha256)).events.map(({ event }) => event.id)).toEqual([id]);
    expect((await deployment.get(`/v1/evidence/${hash('sha256', stray)}`)).status).toBe(404);
    await deployment.stopAudit('SIGKILL');
    await deployment.startAudit();
    const again = await deployment.get(`/v1/evidence/${sha256}`);
    expect(Buffer.from(await again.arrayBuffer())).toEqual(quote);
    expect(readFileSync(join(deployment.state, 'evidence.db')).includes(quote.subarray(0, 64))).toBe(false);
  }, 30_000);

  it('records the absence of what does not come', async () => {
    const missing = hash('sha256', 'never sent');
    const id = await grant(missing);
    await until(
      async () => {
        const { events } = await deployment.json<{ events: { event: { data: object } }[] }>(
          '/v1/events?type=evidence.missing',
        );
        return events.some(({ event }) => JSON.stringify(event.data).includes(missing));
      },
      15_000,
      'no record',
    );
    const { events } = await deployment.json<{ events: { event: { data: unknown; outcome: string } }[] }>(
      '/v1/events?type=evidence.missing&limit=1',
    );
    expect(events[0]!.event).toMatchObject({
      outcome: 'alert',
      data: { count: 1, missing: [{ sha256: missing, event: id }] },
    });
    expect((await info(missing)).kept).toBe(false);
    expect((await deployment.get(`/v1/evidence/${missing}`)).status).toBe(410);
  }, 30_000);

  it('erases on demand, and says that it did', async () => {
    const erase = () =>
      fetch(`${deployment.url}/v1/evidence/${sha256}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${deployment.token}` },
      });
    expect((await erase()).status).toBe(204);
    expect((await deployment.get(`/v1/evidence/${sha256}`)).status).toBe(410);
    expect((await erase()).status).toBe(410);
    const { events } = await deployment.json<{ events: { event: { data: unknown } }[] }>(
      '/v1/events?type=evidence.erased',
    );
    expect(events.map(({ event }) => event.data)).toEqual([{ sha256, actor: 'token' }]);
  });

  it.each([
    ['/v1/evidence/xyz', 404],
    [`/v1/evidence/${'0'.repeat(64)}`, 404],
    [`/v1/evidence/${'0'.repeat(64)}/info`, 404],
    ['/v1/collateral/xyz', 404],
    [`/v1/collateral/${'0'.repeat(64)}`, 404],
  ])('answers %s with %i', async (path, status) => {
    expect((await deployment.get(path)).status).toBe(status);
    expect((await fetch(`${deployment.url}${path}`)).status).toBe(401);
  });

  it('takes collateral only where it asked, and only what its id says', async () => {
    const id = 'ab'.repeat(32);
    const send = (bundle: object) =>
      requests.request(SUBJECTS.auditCollateral, JSON.stringify({ v: 1, id, bundle }), 5_000);
    await expect(send({ tcb_info: 'x' })).rejects.toMatchObject({ code: 'REQUEST_MALFORMED' });
    expect(await hand(quote, id)).toEqual({ collateralWanted: true });
    expect(await hand(quote, id)).toEqual({ collateralWanted: false });
    await expect(send({ tcb_info: 'x' })).rejects.toThrow(/another id/);
    expect((await deployment.get(`/v1/collateral/${id}`)).status).toBe(404);
  });

  it.each([
    'x',
    '{}',
    '{"v":1,"evidence":""}',
    '{"v":1,"evidence":"@@"}',
    '{"v":1,"evidence":"AA","more":1}',
  ])('refuses the handover %s', async (body) => {
    await expect(requests.request(SUBJECTS.auditEvidence, body, 5_000)).rejects.toMatchObject({
      code: 'REQUEST_MALFORMED',
    });
  });

  it('is not there where evidence is not kept', async () => {
    const off = new AuditDeployment();
    try {
      await off.start();
      expect((await off.get(`/v1/evidence/${sha256}`)).status).toBe(404);
      const asking = (await off.requests()).request(SUBJECTS.auditEvidence, '{"v":1,"evidence":"AA"}', 5_000);
      await expect(asking).rejects.toMatchObject({ code: 'NOT_FOUND' });
    } finally {
      await off.close();
    }
  }, 30_000);
});
