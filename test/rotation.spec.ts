import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Boot } from '../apps/cli/src/demo/simulated-enclave.js';
import { AzureWorld } from './azure-deployment.js';
import {
  EventTail,
  eventually,
  expectProblem,
  manifestOf,
  type RunningSiegel,
  SessionStream,
  TENANT,
} from './harness/index.js';
import { boot, deployRotating, granted, streamOf } from './rotating-deployment.js';

jest.setTimeout(120_000);

const POLL_SECONDS = 1;

describe('a vault that says nothing', () => {
  let azure: AzureWorld;
  let siegel: RunningSiegel;
  let tail: EventTail;

  const newCertificate = async (): Promise<void> => {
    const policy = { issuerName: 'Self', subject: 'CN=edge', keyType: 'EC', keyCurveName: 'P-256' } as const;
    const options = { ...policy, contentType: 'application/x-pem-file' as const };
    await (
      await azure.sdk.certificates.beginCreateCertificate('edge', options, { intervalInMs: 20 })
    ).pollUntilDone();
  };

  beforeAll(async () => {
    azure = await AzureWorld.start({ vaults: ['prod'] });
    await newCertificate();
    for (const name of ['db', 'pin', 'gone', 'off']) await azure.sdk.secrets.setSecret(name, `first ${name}`);
    const { properties } = await azure.sdk.secrets.setSecret('pin', 'pinned');
    siegel = await deployRotating(azure, POLL_SECONDS, { SIEGEL_STREAM_MAX: '8' });
    await siegel.admin.setManifest(
      TENANT,
      manifestOf({
        db: { secrets: [granted('db')] },
        pin: { secrets: [granted('pin', { objectVersion: properties.version })] },
        gone: { secrets: [granted('gone')] },
        off: { secrets: [granted('off')] },
        edge: {
          secrets: [{ ...granted('edge', { objectType: 'cert' }), as: 'file', path: '/run/edge.pem' }],
        },
        plain: { env: { A: '1' } },
      }),
      0,
    );
    tail = await siegel.log.tail({});
  });
  afterAll(async () => {
    await siegel?.stop();
    await azure?.stop();
  });

  it('is read now and then: a new version reaches the session; a pinned one stays', async () => {
    const stream = await streamOf(siegel, 'db');
    const pinned = await streamOf(siegel, 'pin');
    const first = await stream.release('the first release');
    expect((await pinned.release('the pinned release')).payload.env['VALUE']).toBe('pinned');
    await eventually('a heartbeat', () => stream.comments > 0);
    await azure.sdk.secrets.setSecret('pin', 'newer');
    const { properties } = await azure.sdk.secrets.setSecret('db', 'second db');
    const second = await stream.release('the rotated release');
    expect(second.payload.env['VALUE']).toBe('second db');
    expect(second.id).not.toBe(first.id);
    expect(pinned.waiting).toBe(0);
    const rotated = await eventually('the event', async () =>
      (await tail.next()).find(({ type }) => type === 'secret.rotated'),
    );
    expect(rotated).toMatchObject({
      data: { objectName: 'db', version: properties.version, noticedBy: 'poll' },
    });
    const { text } = await siegel.service.call('GET', '/metrics');
    expect(text).toMatch(
      /siegel_rotation_changes_total\{[^}]*change="rotated"[^}]*noticed_by="poll"[^}]*\} [1-9]/,
    );
    expect(text).toMatch(/siegel_session_stream_events_total\{[^}]*event="release"[^}]*\} [1-9]/);
    expect(text).toMatch(/siegel_session_streams(\{[^}]*\})? 2\b/);
    pinned.close();
    stream.close();
  });

  it('can be resumed: nothing comes twice, and nothing that happened meanwhile is missed', async () => {
    const { enclave, token } = await boot(siegel, 'db');
    const stream = await SessionStream.open(siegel, enclave, token);
    const { id } = await stream.release('the first release');
    stream.close();
    const resumed = await SessionStream.open(siegel, enclave, token, { lastId: id });
    await eventually('two heartbeats', () => resumed.comments > 1);
    expect(resumed.waiting).toBe(0);
    resumed.close();
    await azure.sdk.secrets.setSecret('db', 'third db');
    await eventually('the event', async () =>
      (await tail.next()).some(({ type }) => type === 'secret.rotated'),
    );
    const late = await SessionStream.open(siegel, enclave, token, { lastId: id });
    expect((await late.release('what was missed')).payload.env['VALUE']).toBe('third db');
    late.close();
  });

  it('disabling a secret stops its release, and enabling it brings it back', async () => {
    const { enclave, token } = await boot(siegel, 'off');
    const stream = await SessionStream.open(siegel, enclave, token);
    const { response } = await stream.release('the first release');
    const { version } = (await azure.sdk.secrets.getSecret('off')).properties;
    await azure.sdk.secrets.updateSecretProperties('off', version!, { enabled: false });
    expect(await stream.next('the refusal')).toMatchObject({
      event: 'denied',
      data: { code: 'SECRET_UNUSABLE' },
    });
    const again = enclave.fetchAgain(
      siegel.service,
      `${siegel.endpoints.release}/v1/release`,
      response.token,
    );
    await expect(again).rejects.toMatchObject({ problem: { code: 'SECRET_UNUSABLE' } });
    await expect(boot(siegel, 'off')).rejects.toMatchObject({ problem: { code: 'SECRET_UNUSABLE' } });
    const events = await tail.next();
    expect(events.find(({ type }) => type === 'secret.withdrawn')).toMatchObject({
      outcome: 'alert',
      reason: { code: 'SECRET_DISABLED' },
      data: { objectName: 'off', previousVersion: version },
    });
    await azure.sdk.secrets.updateSecretProperties('off', version!, { enabled: true });
    expect((await stream.release('the release after all')).payload.env['VALUE']).toBe('first off');
    stream.close();
  });

  it('deleting a secret stops its release', async () => {
    const stream = await streamOf(siegel, 'gone');
    await stream.release('the first release');
    await (await azure.sdk.secrets.beginDeleteSecret('gone', { intervalInMs: 20 })).pollUntilDone();
    expect(await stream.next('the refusal')).toMatchObject({
      event: 'denied',
      data: { code: 'SECRET_NOT_FOUND' },
    });
    await expect(boot(siegel, 'gone')).rejects.toMatchObject({ problem: { code: 'SECRET_NOT_FOUND' } });
    stream.close();
  });

  it('a certificate is renewed with its key, both of one version', async () => {
    const stream = await streamOf(siegel, 'edge');
    const pem = (payload: Boot['payload']) => Buffer.from(payload.files[0]!.content, 'base64').toString();
    const first = pem((await stream.release('the first release')).payload);
    await newCertificate();
    const second = pem((await stream.release('the renewed certificate')).payload);
    expect(second).not.toBe(first);
    expect(new X509Certificate(second).checkPrivateKey(createPrivateKey(second))).toBe(true);
    stream.close();
  });

  it('a vault that cannot be read says nothing about its objects', async () => {
    const stream = await streamOf(siegel, 'db');
    await stream.release('the first release');
    await tail.next();
    for (const effect of [{ kind: 'status', status: 500 }, { kind: 'rbac' }, { kind: 'throttle' }] as const) {
      azure.fake.faults.add({ effect });
      azure.fake.log.clear();
      await eventually('a look that failed', () => azure.fake.log.all().some(({ status }) => status >= 400));
      await sleep(300);
      azure.fake.faults.clear();
    }
    expect((await tail.next()).filter(({ type }) => type.startsWith('secret.'))).toEqual([]);
    expect(stream.waiting).toBe(0);
    await azure.sdk.secrets.setSecret('db', 'after the outage');
    expect((await stream.release('what comes after')).payload.env['VALUE']).toBe('after the outage');
    stream.close();
  });

  it('ends the stream when the session is revoked', async () => {
    const stream = await streamOf(siegel, 'plain');
    const { response } = await stream.release('the first release');
    await siegel.adminCall('POST', `/v1/tenants/${TENANT}/sessions/${response.session}/revoke`);
    expect(await stream.next('the end')).toMatchObject({ event: 'end', data: { code: 'SESSION_REVOKED' } });
    await eventually('the end of the connection', () => stream.ended);
  });

  it('follows the manifest: a change brings a release, no change none, and a workload that is gone its end', async () => {
    const manifest = (workloads: Parameters<typeof manifestOf>[0]) => manifestOf(workloads);
    const stream = await streamOf(siegel, 'plain');
    const bystander = await streamOf(siegel, 'db');
    expect((await stream.release('the first release')).payload.env).toEqual({ A: '1' });
    await bystander.release('the first release');
    const db = { secrets: [granted('db')] };
    await siegel.admin.setManifest(TENANT, manifest({ db, plain: { env: { A: '2' } } }), 1);
    expect((await stream.release('the changed release')).payload.env).toEqual({ A: '2' });
    await siegel.admin.setManifest(TENANT, manifest({ db }), 2);
    expect(await stream.next('the end')).toMatchObject({ event: 'end', data: { code: 'RELEASE_DENIED' } });
    expect(bystander.waiting).toBe(0);
    bystander.close();
  });

  it('wants token and proof, one proof for one stream, and has room for so many', async () => {
    const { enclave, token } = await boot(siegel, 'db');
    const url = `${siegel.endpoints.release}/v1/session/stream`;
    const call = (headers: Record<string, string>) =>
      siegel.service.call('GET', '/v1/session/stream', { headers });
    expectProblem(await call({}), 'TOKEN_INVALID');
    const elsewhere = await enclave.authorization(`${siegel.endpoints.release}/v1/release`, token);
    expectProblem(await call(elsewhere), 'PROOF_INVALID');
    const stranger = siegel.machines.enclave('db');
    expectProblem(await call(await stranger.authorization(url, token)), 'PROOF_INVALID');
    expectProblem(
      await call({ ...(await enclave.authorization(url, token)), 'last-event-id': 'no id' }),
      'CURSOR_INVALID',
    );
    const headers = await enclave.authorization(url, token);
    const streams = [await SessionStream.open(siegel, enclave, token, { headers })];
    expectProblem(await call(headers), 'PROOF_REPLAYED');
    // A session has two; the oldest makes room.
    for (let count = 0; count < 2; count++) streams.push(await SessionStream.open(siegel, enclave, token));
    await eventually('the end of the first', () => streams[0]!.ended);
    expect(streams.map(({ ended }) => ended)).toEqual([true, false, false]);
    for (let open = 2; open < 8; open++) streams.push(await streamOf(siegel, 'db'));
    expectProblem(await call(await enclave.authorization(url, token)), 'OVERLOADED');
    for (const stream of streams) stream.close();
    const roomy = await eventually('room', async () => {
      const stream = await SessionStream.open(siegel, enclave, token);
      return stream.status === 200 && stream;
    });
    roomy.close();
  });
});
