import type { ManifestHistory, ManifestView } from '#contracts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { JsonAnswer } from '../apps/cli/src/demo/https-json.js';
import {
  certificateFor,
  eventually,
  expectProblem,
  manifestOf,
  measured,
  Replica,
  RunningSiegel,
  startSiegel,
  TENANT,
} from './harness/index.js';

jest.setTimeout(180_000);
const PATH = `/v1/tenants/${TENANT}/manifest`;
const YAML = { 'content-type': 'application/yaml' };

/** A manifest without secrets, so that a replica without a vault serves it; the generation shows which one is in force. */
const generation = (name: string): string =>
  manifestOf({ app: { certificate: certificateFor('app'), env: { GENERATION: name } } });

let siegel: RunningSiegel;
beforeAll(async () => {
  siegel = await startSiegel();
});
afterAll(() => siegel?.stop());

const put = (text: string, headers: Record<string, string>): Promise<JsonAnswer> =>
  siegel.adminCall('PUT', PATH, { ...YAML, ...headers }, text);
const inForce = async (service = siegel.service): Promise<string | undefined> =>
  (await siegel.machines.enclave('app').attest(service)).payload.env['GENERATION'];

describe('a tenant without a manifest', () => {
  it('releases nothing', async () => {
    const answer = await siegel.service.post('/v1/attest', siegel.machines.enclave('app').requestBody());
    expectProblem(answer, 'MANIFEST_MISSING');
    const events = await siegel.log.all({ type: 'attestation.denied' });
    expect(events.map(({ event }) => event.reason?.code)).toEqual(['MANIFEST_MISSING']);
  });

  it('has none to show and no history', async () => {
    expectProblem(await siegel.adminCall('GET', PATH), 'NOT_FOUND');
    expect((await siegel.adminCall('GET', `${PATH}/history`)).body).toEqual({ history: [] });
  });

  it('takes no change of a version that is not there', async () => {
    expectProblem(await put(generation('x'), { 'if-match': '"1"' }), 'MANIFEST_CONFLICT');
  });
});

describe('setting a manifest', () => {
  it('is answered with version, digest and ETag, logged, and in force at once', async () => {
    const answer = await put(generation('one'), { 'if-none-match': '*' });
    expect(answer.status).toBe(200);
    expect(answer.headers.etag).toBe('"1"');
    const view = answer.body as ManifestView;
    expect(view).toMatchObject({ tenant: TENANT, version: 1, text: generation('one'), actor: 'admin-token' });
    expect(view.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await inForce()).toBe('one');
    const [logged] = await siegel.log.all({ type: 'manifest.set' });
    expect(logged?.event).toMatchObject({
      outcome: 'ok',
      data: { manifest: { version: 1, digest: view.digest }, actor: 'admin-token', workloads: ['app'] },
    });
    expect((await siegel.adminCall('GET', PATH)).body).toEqual(view);
  });

  it('is a compare-and-swap', async () => {
    expectProblem(await put(generation('x'), { 'if-none-match': '*' }), 'MANIFEST_CONFLICT');
    expectProblem(await put(generation('x'), { 'if-match': '"2"' }), 'MANIFEST_CONFLICT');
    expect((await put(generation('two'), { 'if-match': '"1"' })).status).toBe(200);
    expectProblem(await put(generation('x'), { 'if-match': '"1"' }), 'MANIFEST_CONFLICT');
    expect(await inForce()).toBe('two');
  });

  it('that two administrators do at once is done by exactly one', async () => {
    for (let round = 0; round < 5; round++) {
      const { version } = (await siegel.admin.manifest(TENANT))!;
      const texts = ['left', 'right', 'third'].map((name) => generation(`${name} ${round}`));
      const answers = await Promise.all(texts.map((text) => put(text, { 'if-match': `"${version}"` })));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
      const winner = texts[answers.findIndex(({ status }) => status === 200)];
      expect(await siegel.admin.manifest(TENANT)).toMatchObject({ version: version + 1, text: winner });
      expect(
        manifestOf({ app: { certificate: certificateFor('app'), env: { GENERATION: (await inForce())! } } }),
      ).toBe(winner);
    }
  });

  it.each<[string, Record<string, string>]>([
    ['no precondition', {}],
    ['a weak tag', { 'if-match': 'W/"1"' }],
    ['any version', { 'if-match': '*' }],
    ['two preconditions', { 'if-match': '"1"', 'if-none-match': '*' }],
    ['a list', { 'if-match': '"1", "2"' }],
    ['a negative version', { 'if-match': '"-1"' }],
  ])('with %s is refused', async (_what, headers) => {
    expectProblem(await put(generation('x'), headers), 'REQUEST_MALFORMED');
  });

  it('as anything but YAML is refused', async () => {
    const json = await siegel.adminCall(
      'PUT',
      PATH,
      { 'content-type': 'application/json', 'if-match': '"1"' },
      '{}',
    );
    expectProblem(json, 'CONTENT_TYPE_UNSUPPORTED');
    const text = await siegel.adminCall(
      'PUT',
      PATH,
      { 'content-type': 'text/plain', 'if-match': '"1"' },
      'siegel: v1',
    );
    expectProblem(text, 'CONTENT_TYPE_UNSUPPORTED');
  });

  it('of more than 256 KiB is refused', async () => {
    expectProblem(await put(`# ${'x'.repeat(300_000)}`, { 'if-match': '"1"' }), 'REQUEST_TOO_LARGE');
  });

  it('with mistakes names each with line, column and a suggestion', async () => {
    const text = `siegel: v1
workloads:
  app:
    identity: { mrenclave: [${measured('app')}] }
    certificat: { dns: [app.test.svc] }
    secrets:
      - { vault: demo, objectName: password, objectType: secret, as: enviroment }
`;
    const { version } = (await siegel.admin.manifest(TENANT))!;
    const answer = await put(text, { 'if-match': `"${version}"` });
    expectProblem(answer, 'MANIFEST_INVALID', ['problems']);
    const { problems } = answer.body as { problems: Record<string, unknown>[] };
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ line: 5, column: 5, suggestion: 'certificate' }),
        expect.objectContaining({ line: 7, path: expect.stringContaining('secrets') }),
      ]),
    );
    expect((await siegel.admin.manifest(TENANT))?.version).toBe(version);
  });

  it.each(['', '[]', 'siegel: v2\nworkloads: {}', '\t', '&a [*a]', 'x: "\\ud800"', '{'.repeat(10_000)])(
    'that is none (%.30j) is refused with a problem',
    async (text) => {
      const answer = await put(text.length === 0 ? ' ' : text, { 'if-match': '"1"' });
      expectProblem(answer, 'MANIFEST_INVALID', ['problems']);
      expect((answer.body as { problems: unknown[] }).problems.length).toBeGreaterThan(0);
    },
  );
});

describe('the history', () => {
  it('has every version, each with the digest of the one before', async () => {
    const { history } = (await siegel.adminCall('GET', `${PATH}/history`)).body as ManifestHistory;
    const current = (await siegel.admin.manifest(TENANT))!;
    expect(history.map(({ version }) => version)).toEqual(history.map((_unused, at) => at + 1));
    expect(history.length).toBe(current.version);
    history.forEach(({ previousDigest }, at) => expect(previousDigest).toBe(history[at - 1]?.digest));
    expect(history.at(-1)?.digest).toBe(current.digest);
  });

  it('agrees with the log: each version came into force by one event', async () => {
    const { history } = (await siegel.adminCall('GET', `${PATH}/history`)).body as ManifestHistory;
    const set = await siegel.log.all({ type: 'manifest.set' });
    const refused = await siegel.log.all({ type: 'manifest.refused' });
    const digests = set.flatMap(({ event }) =>
      event.type === 'manifest.set' ? [event.data.manifest.digest] : [],
    );
    for (const { digest } of history) expect(digests.filter((each) => each === digest)).toHaveLength(1);
    // Whoever lost a race after its event was logged has a second event that says so.
    expect(set.length - refused.length).toBe(history.length);
    expect(refused.every(({ event }) => event.reason?.code === 'MANIFEST_CONFLICT')).toBe(true);
  });
});

describe('who may', () => {
  it.each<[string, Record<string, string>]>([
    ['nobody', {}],
    ['a wrong token', { authorization: `Bearer ${'x'.repeat(43)}` }],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['an empty token', { authorization: 'Bearer ' }],
  ])('%s: is not served', async (_who, headers) => {
    for (const [method, path] of [
      ['GET', PATH],
      ['PUT', PATH],
      ['GET', `${PATH}/history`],
    ] as const) {
      const answer = await siegel.service.call(method, path, {
        headers: { ...headers, ...(method === 'PUT' ? { ...YAML, 'if-match': '"1"' } : {}) },
        ...(method === 'PUT' ? { body: generation('x') } : {}),
      });
      expectProblem(answer, 'ADMIN_UNAUTHENTICATED');
      expect(answer.headers['www-authenticate']).toContain('Bearer');
    }
  });

  it('the token of the audit API is none for the administration', async () => {
    const headers = { authorization: `Bearer ${readFileSync(siegel.layout.auditToken, 'utf8').trim()}` };
    expectProblem(await siegel.service.call('GET', PATH, { headers }), 'ADMIN_UNAUTHENTICATED');
  });

  it.each(['other', 'DEFAULT', '..%2fdefault', 'a'.repeat(64)])('there is no tenant %s', async (tenant) => {
    expectProblem(await siegel.adminCall('GET', `/v1/tenants/${tenant}/manifest`), 'TENANT_UNKNOWN');
  });
});

describe('a change', () => {
  let replica: Replica;
  beforeAll(async () => {
    replica = await Replica.start(siegel);
  });
  afterAll(() => replica?.stop());

  it('is in force in all replicas within a second', async () => {
    const seconds: number[] = [];
    for (let round = 0; round < 5; round++) {
      const { version } = (await siegel.admin.manifest(TENANT))!;
      const name = `round ${round}`;
      await siegel.admin.setManifest(TENANT, generation(name), version);
      const answered = performance.now();
      expect(await inForce()).toBe(name);
      await eventually(
        'the change in the other replica',
        async () => (await inForce(replica.service)) === name,
        10_000,
      );
      seconds.push((performance.now() - answered) / 1_000);
    }
    const median = [...seconds].sort((a, b) => a - b)[2]!;
    expect({ median, seconds, held: median < 1 }).toMatchObject({ held: true });
  });

  it('that takes a workload away is in force for the next request', async () => {
    const { version } = (await siegel.admin.manifest(TENANT))!;
    await siegel.admin.setManifest(TENANT, manifestOf({ other: {} }), version);
    const ask = () => replica.service.post('/v1/attest', siegel.machines.enclave('app').requestBody());
    const answer = await eventually('the denial', async () => {
      const each = await ask();
      return each.status === 200 ? undefined : each;
    });
    expectProblem(answer, 'RELEASE_DENIED');
    await siegel.admin.setManifest(TENANT, generation('again'), version + 1);
    await eventually('the grant', async () => (await inForce(replica.service)) === 'again');
  });

  it('reaches a replica that was cut off from the broker, when the broker is back', async () => {
    const { version } = (await siegel.admin.manifest(TENANT))!;
    await siegel.kill('nats-server');
    await siegel.ready();
    // Every service finds the new broker in its own time; until the log has, the answer is a 503 that may be repeated.
    await eventually('the log behind the new broker', async () => {
      try {
        await siegel.admin.setManifest(TENANT, generation('after the cut'), version);
        return true;
      } catch (error) {
        if (/AUDIT_UNAVAILABLE|STORE_UNAVAILABLE/.test((error as Error).message)) return false;
        throw error;
      }
    });
    await eventually(
      'the change in the other replica',
      async () => (await inForce(replica.service)) === 'after the cut',
    );
  });

  it('is known to a replica that starts again', async () => {
    await replica.restart();
    expect(await inForce(replica.service)).toBe('after the cut');
  });
});
