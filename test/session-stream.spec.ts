import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  entryBytes,
  envSecret,
  eventually,
  manifestOf,
  OfflineChecks,
  type RunningSiegel,
  SessionStream,
  startSiegel,
  TENANT,
  VAULT,
} from './harness/index.js';

jest.setTimeout(120_000);

const SESSIONS = 100;
/** The shortest that is allowed; its renewal is due when a quarter is left. */
const TOKEN_SECONDS = 30;

describe('live sessions over the embedded vault', () => {
  let siegel: RunningSiegel;
  let long: SessionStream;
  let first: Awaited<ReturnType<SessionStream['release']>>;

  const open = async (workload: string): Promise<SessionStream> => {
    const enclave = siegel.machines.enclave(workload);
    const { response } = await enclave.attest(siegel.service);
    return SessionStream.open(siegel, enclave, response.token);
  };

  beforeAll(async () => {
    siegel = await startSiegel({
      secrets: { password: 'first', other: 'first' },
      args: ['--env', `SIEGEL_TOKEN_TTL_SECONDS=${TOKEN_SECONDS}`, '--env', 'SIEGEL_STREAM_HEARTBEAT_MS=500'],
      maxSockets: 2 * SESSIONS,
      manifest: manifestOf({
        shop: { secrets: [envSecret('password', 'PASSWORD')] },
        quiet: { secrets: [envSecret('other', 'OTHER')] },
      }),
    });
    long = await open('quiet');
    first = await long.release('the first release');
  });
  afterAll(() => siegel?.stop());

  it('a written secret reaches a hundred sessions at once, each sealed to its own key and logged once', async () => {
    const streams = await Promise.all(Array.from({ length: SESSIONS }, () => open('shop')));
    for (const stream of streams) await stream.release('the first release');
    const tail = await siegel.log.tail({ type: 'release.granted' });
    await siegel.admin.putSecret(TENANT, VAULT, 'password', 'second');
    const releases = await Promise.all(streams.map((stream) => stream.release('the rotated release')));
    expect(releases.every(({ payload }) => payload.env['PASSWORD'] === 'second')).toBe(true);
    expect(new Set(releases.map(({ response }) => response.release)).size).toBe(SESSIONS);
    expect(new Set(releases.map(({ id }) => id)).size).toBe(1);
    const logged = (await tail.next()).map(({ session }) => session);
    expect(logged.sort()).toEqual(releases.map(({ response }) => response.session).sort());
    const written = await siegel.log.all({ type: 'secret.rotated' });
    expect(written.map(({ event }) => event)).toMatchObject([
      { data: { vault: VAULT, objectName: 'password', noticedBy: 'administration' } },
    ]);
    for (const stream of streams) stream.close();
  });

  it('nothing leaves while the log does not answer; when it does, the release comes with its promise', async () => {
    const stream = await open('shop');
    await stream.release('the first release');
    await siegel.frozen('audit', async () => {
      // The answer to the writer waits for the log as well; the secret is in the vault by then.
      void siegel.admin.putSecret(TENANT, VAULT, 'password', 'third').catch(() => undefined);
      await eventually('the refusal of the frozen log', async () => {
        const { status } = await siegel.service.post(
          '/v1/attest',
          siegel.machines.enclave('shop').requestBody(),
        );
        return status === 503;
      });
      await sleep(1_000);
      expect(stream.waiting).toBe(0);
    });
    await siegel.ready();
    // The write that failed half-way is known by the poll at the latest; an operator repeats it.
    await eventually('the repeated write', () =>
      siegel.admin.putSecret(TENANT, VAULT, 'password', 'third').then(() => true),
    );
    const { response, payload } = await stream.release('the release after all');
    expect(payload.env['PASSWORD']).toBe('third');
    const logged = (await siegel.log.all({ session: response.session, type: 'release.granted' })).map(
      (entry) => [entry.index, entry] as const,
    );
    const offline = new OfflineChecks(siegel.layout.trust);
    offline.promises.verify(response.promise, entryBytes(new Map(logged).get(response.promise.index)!));
    stream.close();
  });

  it('a deleted secret of the embedded vault is withheld at once', async () => {
    const stream = await open('shop');
    await stream.release('the first release');
    await siegel.adminCall('DELETE', `/v1/tenants/${TENANT}/vaults/${VAULT}/secrets/password`);
    expect(await stream.next('the refusal')).toMatchObject({
      event: 'denied',
      data: { code: 'SECRET_NOT_FOUND' },
    });
    stream.close();
  });

  it('the token is renewed before it ends, so that the stream goes on', async () => {
    const renewed = await long.release('the renewed token');
    expect(renewed.response.session).toBe(first.response.session);
    expect(renewed.response.token).not.toBe(first.response.token);
    expect(Date.parse(renewed.response.expiresAt)).toBeGreaterThan(Date.parse(first.response.expiresAt));
    expect(Date.parse(first.response.expiresAt)).toBeGreaterThan(Date.now());
    // What the enclave holds is the same: only the token is new, and it comes once.
    expect(renewed.id).toBe(first.id);
    await sleep(1_500);
    expect(long.waiting).toBe(0);
    expect(long.ended).toBe(false);
  });

  it('a replica that is stopped ends its streams and not their sessions', async () => {
    process.kill(siegel.pid('key-release'), 'SIGTERM');
    await eventually('the end of the connection', () => long.ended);
    expect(long.waiting).toBe(0);
    await siegel.ready();
  });
});
