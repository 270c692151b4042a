import type { AuditEvent } from '#contracts';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Boot, SimulatedEnclave } from '../apps/cli/src/demo/simulated-enclave.js';
import { Refused } from '../apps/cli/src/demo/simulated-enclave.js';
import { run } from '../apps/cli/src/main.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import type { HttpsJson } from '../apps/cli/src/demo/https-json.js';
import {
  envSecret,
  eventually,
  manifestOf,
  Replica,
  RunningSiegel,
  startSiegel,
  TENANT,
  type LoggedEvent,
} from './harness/index.js';

jest.setTimeout(60_000);

const secrets = [envSecret('password', 'PASSWORD')];
/** Without a secret: the second replica has no vault. */
const certificate = { dns: ['bare.test.svc'] };
const manifest = manifestOf({
  reports: { secrets },
  revokes: { secrets, session: { onDegraded: 'revoke', ttl: '5m' } },
  tolerates: {
    secrets,
    session: { onDegraded: 'revoke' },
    tcb: { accept: ['UpToDate', 'OutOfDate'] },
  },
  bare: { certificate, session: { onDegraded: 'revoke' } },
  brief: { secrets, session: { lifetime: '2m', ttl: '1m' } },
});

/** What the token says, unchecked. */
function claimsOf(token: string) {
  const payload = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
    iat: number;
    exp: number;
    jti: string;
    siegel: { claims: { tcbStatus: string }; collateral: { id: string; tcbEvaluationDataNumber: number } };
  };
  return payload;
}

function deletion() {
  const operation = headers();
  operation.set('KV-Operation', 'DEL');
  return operation;
}

describe('sessions after their attestation', () => {
  let siegel: RunningSiegel;
  const sessions: Record<string, { enclave: SimulatedEnclave; boot: Boot }> = {};

  const fetchAgain = (name: string, service = siegel.service): Promise<Boot> => {
    const { enclave, boot } = sessions[name]!;
    return enclave.fetchAgain(service, `${siegel.endpoints.release}/v1/release`, boot.response.token);
  };
  /** The code with which a release is refused, by this deployment's first replica or another. */
  const refusal = (name: string, service?: HttpsJson): Promise<unknown> =>
    fetchAgain(name, service).then(
      () => 'granted',
      (error: unknown) => (error as Refused).problem.code,
    );
  const boot = async (name: string, workload = name): Promise<void> => {
    const enclave = siegel.machines.enclave(workload);
    sessions[name] = { enclave, boot: await enclave.attest(siegel.service) };
  };
  const eventsOf = async (type: AuditEvent['type']): Promise<LoggedEvent['event'][]> =>
    (await siegel.log.all({ type })).map(({ event }) => event);
  /** The command line as an operator runs it beside the deployment. */
  const cli = async (...args: string[]): Promise<{ code: number; json: Record<string, unknown> }> => {
    const terminal = recordingTerminal({ env: { SIEGEL_STATE: siegel.state } });
    const code = await run([...args, '--json'], terminal);
    return { code, json: JSON.parse(terminal.written.out) as Record<string, unknown> };
  };
  const collateralOf = (evaluation: number, status: string): object => {
    const { sgx } = siegel.machines;
    const platform = sgx.platform({ name: 'demo' });
    return sgx.collateral({
      platform,
      tcbEvaluationDataNumber: evaluation,
      editTcbInfo: (document) => ({
        ...document,
        tcbLevels: (document['tcbLevels'] as object[]).map((level, i) =>
          i === 0 ? { ...level, tcbStatus: status, advisoryIDs: ['INTEL-SA-09999'] } : level,
        ),
      }),
    });
  };
  const addCollateral = (name: string, evaluation: number, status: string): void =>
    siegel.machines.addBundle(name, collateralOf(evaluation, status));

  let replica: Replica;

  beforeAll(async () => {
    siegel = await startSiegel({ secrets: { password: 'open sesame' }, manifest });
    replica = await Replica.start(siegel);
    for (const name of ['reports', 'revokes', 'tolerates', 'bare', 'brief']) await boot(name);
    await boot('ended', 'tolerates');
  });
  afterAll(async () => {
    await replica?.stop();
    await siegel?.stop();
  });

  it('a later release renews the token, within the session', async () => {
    const { response } = sessions['revokes']!.boot;
    const first = claimsOf(response.token);
    expect(first.exp - first.iat).toBe(300);
    const lives = Date.parse(response.sessionEndsAt) - first.iat * 1_000;
    expect(lives).toBeGreaterThanOrEqual(86_399_000);
    expect(lives).toBeLessThanOrEqual(86_402_000);
    // Token times are whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const again = await fetchAgain('revokes');
    const second = claimsOf(again.response.token);
    expect(again.payload.env).toEqual({ PASSWORD: 'open sesame' });
    expect(again.response.session).toBe(response.session);
    expect(second.jti).not.toBe(first.jti);
    expect(second.exp).toBeGreaterThan(first.exp);
    expect(again.response.sessionEndsAt).toBe(response.sessionEndsAt);
    sessions['revokes']!.boot = again;
  });

  it('no token outlives its session, and a shorter lifetime holds for running ones', async () => {
    const { response } = sessions['brief']!.boot;
    const shorter = manifest.replace('"lifetime": "2m"', '"lifetime": "1m"');
    expect(shorter).not.toBe(manifest);
    await siegel.admin.setManifest(TENANT, shorter, 1);
    const again = await fetchAgain('brief');
    expect(Date.parse(again.response.sessionEndsAt)).toBe(Date.parse(response.sessionEndsAt) - 60_000);
    expect(Date.parse(again.response.expiresAt)).toBeLessThanOrEqual(
      Date.parse(again.response.sessionEndsAt),
    );
    await siegel.admin.setManifest(TENANT, manifest, 2);
  });

  it('an administrator ends one session and no other', async () => {
    const { session } = sessions['ended']!.boot.response;
    const path = `/v1/tenants/${TENANT}/sessions/${session}/revoke`;
    expect((await siegel.service.call('POST', path)).status).toBe(401);
    expect(await refusal('ended')).toBe('granted');
    const { code, json: body } = await cli('session', 'revoke', session);
    expect({ code, body }).toMatchObject({ code: 0, body: { tenant: TENANT, session } });
    expect((await cli('session', 'revoke', 'nobody')).code).toBe(2);
    expect((await siegel.adminCall('POST', path)).body).toEqual(body);
    expect(await refusal('ended')).toBe('SESSION_REVOKED');
    expect(await refusal('tolerates')).toBe('granted');
    await eventually('the other replica', async () => {
      return (await refusal('ended', replica.service)) === 'SESSION_REVOKED';
    });
    expect(await eventsOf('session.revoked')).toMatchObject([
      { session, outcome: 'ok', data: { actor: 'admin-token' } },
    ]);
    const denied = await siegel.log.all({ type: 'release.denied', session });
    expect(denied.length).toBeGreaterThanOrEqual(2);
    expect(denied.at(-1)).toMatchObject({ event: { reason: { code: 'SESSION_REVOKED' } } });
    for (const wrong of ['nobody', `${randomUUID()}.x`, '..%2f..'])
      expect(
        (await siegel.adminCall('POST', `/v1/tenants/${TENANT}/sessions/${wrong}/revoke`)).status,
      ).toBeGreaterThanOrEqual(400);
  });

  it('collateral that changes nothing is no event', async () => {
    const file = join(siegel.state, 'fetched.json');
    writeFileSync(file, JSON.stringify(collateralOf(21, 'UpToDate')));
    expect(await cli('collateral', 'import', file)).toMatchObject({
      code: 0,
      json: { effect: 'in-force', tcbEvaluationDataNumber: 21, simulated: true },
    });
    const renewed = await eventually('a token by the new collateral', async () => {
      const { response } = await fetchAgain('reports');
      return claimsOf(response.token).siegel.collateral.tcbEvaluationDataNumber === 21 ? response : undefined;
    });
    expect(claimsOf(renewed.token).siegel.claims.tcbStatus).toBe('UpToDate');
    expect(await eventsOf('session.reappraised')).toEqual([]);
  });

  it('a lower status is reported, revokes where the manifest says so, and denies the next release', async () => {
    addCollateral('recovery', 22, 'OutOfDate');
    const events = await eventually('an event for each workload that fell below its policy', async () => {
      const found = await eventsOf('session.reappraised');
      return found.length >= 4 ? found : undefined;
    });
    const byWorkload = Object.fromEntries(events.map((event) => [event.workload!, event]));
    expect(Object.keys(byWorkload).sort()).toEqual(['bare', 'brief', 'reports', 'revokes']);
    expect(events).toHaveLength(4);
    expect(byWorkload['reports']).toMatchObject({
      outcome: 'alert',
      tenant: TENANT,
      tcbStatus: 'OutOfDate',
      simulated: true,
      reason: { code: 'TCB_STATUS_NOT_ACCEPTED' },
      data: {
        before: 'UpToDate',
        after: 'OutOfDate',
        advisoryIds: ['INTEL-SA-09999'],
        evidence: { tcbEvaluationDataNumber: 22, tee: 'sgx' },
        revoked: false,
      },
    });
    expect(byWorkload['revokes']).toMatchObject({ data: { revoked: true } });
    const revoked = (await eventsOf('session.revoked')).filter(({ session }) => session === undefined);
    expect(revoked.map(({ workload }) => workload).sort()).toEqual(['bare', 'revokes']);
    expect(revoked[0]).toMatchObject({ outcome: 'alert', data: { actor: 'continuous-appraisal' } });

    await eventually('the status in force', async () => (await refusal('reports')) === 'RELEASE_DENIED');
    expect(await refusal('revokes')).toBe('SESSION_REVOKED');
    await eventually('the status in force on the other replica', async () => {
      return (await refusal('bare', replica.service)) === 'SESSION_REVOKED';
    });
    const { response } = await fetchAgain('tolerates');
    expect(claimsOf(response.token).siegel.claims.tcbStatus).toBe('OutOfDate');
    await expect(siegel.machines.enclave('reports').attest(siegel.service)).rejects.toMatchObject({
      problem: { code: 'RELEASE_DENIED' },
    });
  });

  it('all of it holds after a restart of key-release, and is not reported again', async () => {
    const before = [await eventsOf('session.reappraised'), await eventsOf('session.revoked')];
    await siegel.kill('key-release');
    await siegel.ready();
    expect(await refusal('revokes')).toBe('SESSION_REVOKED');
    expect(await refusal('ended')).toBe('SESSION_REVOKED');
    expect(await refusal('reports')).toBe('RELEASE_DENIED');
    // Judged again at start, with the sample from the bucket.
    await eventually('a round after the restart', async () => {
      const text = (await siegel.service.call('GET', '/metrics')).text;
      return /siegel_reappraisals_total\{outcome="unchanged"\} [1-9]/.test(text);
    });
    expect([await eventsOf('session.reappraised'), await eventsOf('session.revoked')]).toEqual(before);
    const { response } = await fetchAgain('tolerates');
    expect(Date.parse(response.expiresAt)).toBeGreaterThan(Date.now() + 890_000);
  });

  it('a status that recovers admits what was only reported; what was revoked attests anew', async () => {
    addCollateral('recovered', 23, 'UpToDate');
    await eventually('the better status', async () => (await refusal('reports')) === 'granted');
    expect(await refusal('revokes')).toBe('SESSION_REVOKED');
    await boot('revokes');
    expect(await refusal('revokes')).toBe('granted');
  });

  it('the bucket cannot be believed: a record that nobody signed revokes no session and clears no platform', async () => {
    const nats = await siegel.nats('key_release');
    const session = sessions['revokes']!.boot.response.session;
    const forged = JSON.stringify({ v: 1, tenant: TENANT, session });
    nats.publish(`$KV.siegel_sessions.r.${TENANT}.${session}`, forged);
    nats.publish(`$KV.siegel_sessions.r.${TENANT}.${sessions['ended']!.boot.response.session}`, '', {
      headers: deletion(),
    });
    await nats.flush();
    await eventually('the refusal of the record', () => siegel.logText().includes('is not authentic'));
    expect(await refusal('revokes')).toBe('granted');
    expect(await refusal('ended')).toBe('SESSION_REVOKED');
    // What a replica has once heard it remembers without the broker.
    await siegel.kill('key-release');
    await siegel.ready();
    expect(await refusal('revokes')).toBe('granted');
    expect(await refusal('ended')).toBe('SESSION_REVOKED');
  });
});
