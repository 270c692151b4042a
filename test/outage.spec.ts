import type { ErrorCode } from '#contracts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { JsonAnswer } from '../apps/cli/src/demo/https-json.js';
import {
  certificateFor,
  envSecret,
  eventually,
  expectProblem,
  manifestOf,
  numberingFaults,
  type Part,
  RunningSiegel,
  startSiegel,
  TENANT,
} from './harness/index.js';

jest.setTimeout(180_000);

const SECRET = 'what nobody may see while the log is away';
const MANIFEST = manifestOf({
  app: { certificate: certificateFor('app'), secrets: [envSecret('password', 'PASSWORD')] },
});

let siegel: RunningSiegel;
beforeAll(async () => {
  siegel = await startSiegel({ secrets: { password: SECRET }, manifest: MANIFEST });
});
afterAll(() => siegel?.stop());

const attest = (): Promise<JsonAnswer> =>
  siegel.service.post('/v1/attest', siegel.machines.enclave('app').requestBody());

function expectNothingReleased(answer: JsonAnswer, code: ErrorCode): void {
  expectProblem(answer, code);
  expect(answer.body).toMatchObject({ retryable: true });
  expect(answer.headers['retry-after']).toBe('1');
  expect(answer.text).not.toContain(SECRET);
}

/** Works as before: a new enclave receives its secret. */
async function expectService(): Promise<string> {
  const enclave = siegel.machines.enclave('app');
  const { response, payload } = await eventually('a grant after the outage', () =>
    enclave.attest(siegel.service),
  );
  expect(payload.env).toEqual({ PASSWORD: SECRET });
  return response.session;
}

/** Nothing that was answered is missing in the log, nothing is there twice, no number is missing. */
async function expectWholeLog(sessions: readonly string[]): Promise<void> {
  const events = await siegel.log.all();
  const logged = events.flatMap(({ event }) => (event.type === 'attestation.granted' ? [event.session] : []));
  for (const session of sessions) expect(logged.filter((each) => each === session)).toHaveLength(1);
  expect(new Set(logged).size).toBe(logged.length);
  expect(numberingFaults(events)).toEqual({ doubled: [], missing: [] });
}

describe('without the audit log', () => {
  it('frozen: nothing is released, and the service works again when it is back', async () => {
    const before = await expectService();
    await siegel.frozen('audit', async () => {
      expectNothingReleased(await attest(), 'AUDIT_UNAVAILABLE');
      // From now on nobody waits for the timeout: work that cannot be logged is not begun.
      const began = Date.now();
      expectNothingReleased(await attest(), 'AUDIT_UNAVAILABLE');
      expect(Date.now() - began).toBeLessThan(2_500);
      const ready = await siegel.service.call('GET', '/health/ready');
      expect(ready.body).toMatchObject({ ok: false, checks: { audit: { ok: false } } });
      // A denial that cannot be logged is not told either: it would be a decision without a record.
      const stranger = await siegel.service.post(
        '/v1/attest',
        siegel.machines.enclave('stranger').requestBody(),
      );
      expectNothingReleased(stranger, 'AUDIT_UNAVAILABLE');
      // Nor may the administrator act unseen.
      const put = await siegel.adminCall(
        'PUT',
        `/v1/tenants/${TENANT}/vaults/demo/secrets/password`,
        { 'content-type': 'application/json' },
        JSON.stringify({ value: Buffer.from('unlogged').toString('base64') }),
      );
      expectNothingReleased(put, 'AUDIT_UNAVAILABLE');
      const set = await siegel.adminCall(
        'PUT',
        `/v1/tenants/${TENANT}/manifest`,
        { 'content-type': 'application/yaml', 'if-match': '"1"' },
        manifestOf({ stranger: { secrets: [envSecret('password', 'PASSWORD')] } }),
      );
      expectNothingReleased(set, 'AUDIT_UNAVAILABLE');
    });
    const after = await expectService();
    await siegel.ready();
    await expectWholeLog([before, after]);
    expect((await siegel.admin.manifest(TENANT))?.version).toBe(1);
  });

  it('killed: nothing is released until it is back', async () => {
    const before = await expectService();
    await siegel.kill('audit');
    expectNothingReleased(await attest(), 'AUDIT_UNAVAILABLE');
    const after = await expectService();
    await siegel.ready();
    await expectWholeLog([before, after]);
  });

  it('the second fetch of a release needs the log as well', async () => {
    const enclave = siegel.machines.enclave('app');
    const { response } = await enclave.attest(siegel.service);
    const url = `${siegel.endpoints.release}/v1/release`;
    await siegel.frozen('audit', async () => {
      await expect(enclave.fetchAgain(siegel.service, url, response.token)).rejects.toMatchObject({
        status: 503,
        problem: { code: 'AUDIT_UNAVAILABLE' },
      });
    });
    const again = await eventually('a second fetch', () =>
      enclave.fetchAgain(siegel.service, url, response.token),
    );
    expect(again.payload.env).toEqual({ PASSWORD: SECRET });
    await siegel.ready();
  });
});

describe('without a quote verifier', () => {
  const denials = () => siegel.log.all({ type: 'attestation.denied' });

  it('killed: nothing is decided, which is no denial', async () => {
    const before = await denials();
    await siegel.kill('quote-verifier');
    expectNothingReleased(await attest(), 'VERIFIER_UNAVAILABLE');
    await expectService();
    expect(await denials()).toHaveLength(before.length);
    await siegel.ready();
  });

  it('frozen: the request ends by its deadline, and a late verdict harms nobody', async () => {
    await siegel.frozen('quote-verifier', async () => {
      expectNothingReleased(await attest(), 'VERIFIER_UNAVAILABLE');
    });
    await expectService();
    await siegel.ready();
  });
});

describe('without the broker', () => {
  it.each(['killed', 'frozen'] as const)(
    '%s: nothing is released, everything recovers by itself',
    async (how) => {
      const before = await expectService();
      if (how === 'killed') {
        await siegel.kill('nats-server');
        const answer = await attest();
        expect(['VERIFIER_UNAVAILABLE', 'AUDIT_UNAVAILABLE']).toContain(
          (answer.body as { code: string }).code,
        );
        expectNothingReleased(answer, (answer.body as { code: ErrorCode }).code);
      } else {
        await siegel.frozen('nats-server', async () => {
          expectNothingReleased(await attest(), 'VERIFIER_UNAVAILABLE');
        });
      }
      const after = await expectService();
      await siegel.ready();
      await expectWholeLog([before, after]);
    },
  );

  it('a manifest can be set afterwards', async () => {
    const { version } = (await siegel.admin.manifest(TENANT))!;
    await siegel.kill('nats-server');
    await siegel.ready();
    const text = manifestOf({ app: { env: { GENERATION: 'next' } } });
    await eventually('a change of the manifest', async () => {
      await siegel.admin.setManifest(TENANT, text, version);
      return true;
    });
    const { payload } = await siegel.machines.enclave('app').attest(siegel.service);
    expect(payload.env).toEqual({ GENERATION: 'next' });
    await siegel.admin.setManifest(TENANT, MANIFEST, version + 1);
  });
});

describe('a whole deployment that loses its services one after the other', () => {
  it('has, in the end, the same secrets, manifest and log', async () => {
    const sessions = [await expectService()];
    for (const part of ['key-release', 'quote-verifier', 'audit', 'nats-server'] satisfies Part[]) {
      await siegel.kill(part);
      sessions.push(await expectService());
    }
    await siegel.ready();
    const events = await siegel.log.all();
    for (const session of sessions) {
      const own = events.filter(({ event }) => event.session === session);
      expect(own.map(({ event }) => event.type)).toEqual(['attestation.granted']);
    }
    expect((await siegel.admin.manifest(TENANT))?.text).toBe(MANIFEST);
  });
});
