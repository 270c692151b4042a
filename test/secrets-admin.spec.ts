import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  envSecret,
  expectProblem,
  fileSecret,
  manifestOf,
  Refusals,
  RunningSiegel,
  startSiegel,
  TENANT,
  VAULT,
} from './harness/index.js';

jest.setTimeout(120_000);
const FOLDER = `/v1/tenants/${TENANT}/vaults/${VAULT}/secrets`;
const JSON_TYPE = { 'content-type': 'application/json' };
const SECRET = `a secret of the administrator ${randomBytes(12).toString('hex')}`;

let siegel: RunningSiegel;
let refusals: Refusals;
beforeAll(async () => {
  siegel = await startSiegel({
    manifest: manifestOf({
      app: { secrets: [envSecret('password', 'PASSWORD')] },
      binary: { secrets: [envSecret('bytes', 'BYTES')] },
      file: { secrets: [fileSecret('bytes', '/run/bytes')] },
    }),
  });
  refusals = await Refusals.of(siegel, SECRET);
});
afterAll(() => siegel?.stop());

const base64 = (value: string | Buffer): string => Buffer.from(value).toString('base64');
const put = (name: string, body: unknown, headers: Record<string, string> = {}) =>
  siegel.adminCall('PUT', `${FOLDER}/${name}`, { ...JSON_TYPE, ...headers }, JSON.stringify(body));
const attest = (word: string) =>
  siegel.service.post('/v1/attest', siegel.machines.enclave(word).requestBody());

describe('a secret', () => {
  it('that is not there denies the whole release, and only the operator learns its name', async () => {
    const answer = await attest('app');
    const event = await refusals.expectDenied(answer, 'SECRET_NOT_FOUND', 'SECRET_NOT_FOUND');
    expect(event.reason?.message).toContain('demo/password');
    expect(answer.text).not.toContain('password');
  });

  it('is written in versions, each logged without its value', async () => {
    const first = await put('password', { value: base64('old') });
    const second = await put('password', { value: base64(SECRET), contentType: 'text/plain' });
    expect([first.status, second.status]).toEqual([200, 200]);
    const versions = [first, second].map(({ body }) => (body as { version: string }).version);
    expect(new Set(versions).size).toBe(2);
    const logged = await siegel.log.all({ type: 'secret.set' });
    expect(logged.map(({ event }) => event)).toEqual(
      versions.map((version) =>
        expect.objectContaining({
          outcome: 'ok',
          data: { vault: VAULT, objectName: 'password', version, actor: 'admin-token' },
        }),
      ),
    );
  });

  it('goes out in its newest version, which the event of the grant names', async () => {
    const { payload, response } = await siegel.machines.enclave('app').attest(siegel.service);
    expect(payload.env).toEqual({ PASSWORD: SECRET });
    const { secrets } = (await siegel.adminCall('GET', FOLDER)).body as { secrets: { version: string }[] };
    const [granted] = await siegel.log.all({ session: response.session });
    expect(granted?.event).toMatchObject({
      data: {
        grants: [{ alias: 'PASSWORD', as: 'env', objectName: 'password', version: secrets[0]!.version }],
      },
    });
  });

  it('is listed by name, never by value', async () => {
    const answer = await siegel.adminCall('GET', FOLDER);
    expect(answer.body).toEqual({
      secrets: [expect.objectContaining({ name: 'password', contentType: 'text/plain', enabled: true })],
    });
    expect(answer.text).not.toContain(SECRET);
    expect(answer.text).not.toContain(base64(SECRET));
    expectProblem(await siegel.adminCall('GET', `${FOLDER}/password`), 'NOT_FOUND');
  });

  it('of arbitrary bytes goes out as a file, not as an environment variable', async () => {
    const bytes = randomBytes(64);
    bytes[5] = 0;
    expectProblem(await put('bytes', { value: base64(bytes) }), 'SECRET_INVALID');
    const typed = { value: base64(bytes), contentType: 'application/octet-stream' };
    expect((await put('bytes', typed)).status).toBe(200);
    const { payload } = await siegel.machines.enclave('file').attest(siegel.service);
    expect(Buffer.from(payload.files[0]!.content, 'base64')).toEqual(bytes);
    await refusals.expectDenied(await attest('binary'), 'SECRET_UNUSABLE', 'SECRET_NOT_TEXT');
  });

  it('that is deleted is released no more', async () => {
    expect((await siegel.adminCall('DELETE', `${FOLDER}/password`)).status).toBe(204);
    const event = await refusals.expectDenied(
      await attest('app'),
      'SECRET_NOT_FOUND',
      expect.stringMatching(/^SECRET_/),
    );
    expect(event.workload ?? 'app').toBe('app');
    const [deleted] = await siegel.log.all({ type: 'secret.deleted' });
    expect(deleted?.event).toMatchObject({ data: { objectName: 'password', actor: 'admin-token' } });
    expectProblem(await siegel.adminCall('DELETE', `${FOLDER}/password-that-never-was`), 'NOT_FOUND');
  });
});

describe('what is refused', () => {
  it.each<[string, string, unknown]>([
    ['a name with a slash', 'a%2fb', { value: base64('x') }],
    ['a name with dots', '..', { value: base64('x') }],
    ['a name with an underscore', 'a_b', { value: base64('x') }],
    ['a name of 128 characters', 'a'.repeat(128), { value: base64('x') }],
    ['a value that is not base64', 'x', { value: 'ä' }],
    ['a value that is no text', 'x', { value: 1 }],
    ['no value', 'x', {}],
    ['an unknown member', 'x', { value: base64('x'), tags: {} }],
    ['more than 25 KB', 'x', { value: base64(Buffer.alloc(26_000)) }],
  ])('%s', async (_what, name, body) => {
    const before = (await siegel.log.all({ type: 'secret.set' })).length;
    const answer = await put(name, body);
    expectProblem(answer, name === '..' ? 'NOT_FOUND' : 'SECRET_INVALID');
    expect((await siegel.log.all({ type: 'secret.set' })).length).toBe(before);
  });

  it('a body that is no JSON', async () => {
    expectProblem(await siegel.adminCall('PUT', `${FOLDER}/x`, JSON_TYPE, '{'), 'REQUEST_MALFORMED');
    expectProblem(
      await siegel.adminCall('PUT', `${FOLDER}/x`, { 'content-type': 'text/plain' }, 'x'),
      'CONTENT_TYPE_UNSUPPORTED',
    );
  });

  it('another vault, another tenant', async () => {
    expectProblem(await siegel.adminCall('GET', `/v1/tenants/${TENANT}/vaults/other/secrets`), 'NOT_FOUND');
    expectProblem(
      await siegel.adminCall('GET', `/v1/tenants/${TENANT}/vaults/__proto__/secrets`),
      'NOT_FOUND',
    );
    expectProblem(
      await siegel.adminCall('GET', `/v1/tenants/other/vaults/${VAULT}/secrets`),
      'TENANT_UNKNOWN',
    );
  });

  it.each([
    ['GET', FOLDER],
    ['PUT', `${FOLDER}/password`],
    ['DELETE', `${FOLDER}/password`],
  ])('%s %s without the token of the administrator', async (method, path) => {
    for (const headers of [
      {},
      { authorization: 'Bearer no' },
      { authorization: `Bearer ${'x'.repeat(4_096)}` },
    ]) {
      const answer = await siegel.service.call(method, path, {
        headers: { ...headers, ...(method === 'PUT' ? JSON_TYPE : {}) },
        ...(method === 'PUT' ? { body: JSON.stringify({ value: base64('x') }) } : {}),
      });
      expectProblem(answer, 'ADMIN_UNAUTHENTICATED');
    }
  });
});

describe('at rest', () => {
  it('no file of the deployment holds the value, and the key is for its owner alone', () => {
    const files = (folder: string): string[] =>
      readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
      );
    const all = files(siegel.state);
    expect(all.length).toBeGreaterThan(10);
    const holding = all.filter((file) => {
      const bytes = readFileSync(file);
      return bytes.includes(SECRET) || bytes.includes(base64(SECRET));
    });
    expect(holding).toEqual([]);
    for (const file of files(siegel.layout.path('vault')))
      expect([file, statSync(file).mode & 0o077]).toEqual([file, 0]);
  });
});
