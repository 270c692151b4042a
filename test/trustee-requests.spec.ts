import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningSiegel } from './harness/index.js';
import { SAMPLE } from './trustee/attesters.js';
import { BYTES, TEXT, TrusteeDeployment } from './trustee/deployment.js';
import { KbsClient, type KbsFailure } from './trustee/kbs-client.js';
import { KbsConnection } from './trustee/kbs-connection.js';
import { type Exchange, replay } from './trustee/replay.js';

jest.setTimeout(120_000);

const PATH = 'default/key/test';
const RECORDINGS = join(process.cwd(), '..', 'shared', 'vectors', 'trustee');
if (!existsSync(RECORDINGS)) console.warn('no recordings of Trustee at hand: nothing is replayed');

describe("Trustee's KBS protocol, by requests that are none of its client's", () => {
  let kbs: TrusteeDeployment;
  let siegel: RunningSiegel;

  beforeAll(async () => {
    kbs = await TrusteeDeployment.start(['SIEGEL_AUDIT_TIMEOUT_MS=700', 'SIEGEL_VERIFY_TIMEOUT_MS=700']);
    ({ siegel } = kbs);
  });
  afterAll(() => kbs?.stop());

  describe('refuses', () => {
    it.each<readonly [string, (token: string) => string]>([
      ['not a token', () => 'abc'],
      [
        'a changed claim',
        (token) => {
          const [head, payload, signature] = token.split('.') as [string, string, string];
          const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
          const changed = Buffer.from(JSON.stringify({ ...claims, exp: 9_999_999_999 })).toString(
            'base64url',
          );
          return `${head}.${changed}.${signature}`;
        },
      ],
      ['a key of its own in the header', forged],
      [
        'no algorithm',
        (token) => {
          const payload = token.split('.')[1]!;
          return `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${payload}.AA`;
        },
      ],
    ])('a bad token: %s', async (_what, spoil) => {
      const client = kbs.client('app');
      const token = spoil(await client.getToken());
      const carrier = kbs.client('app', { key: client.key });
      const failure = (await carrier
        .getResourceWithToken(PATH, token)
        .catch((e: unknown) => e)) as KbsFailure;
      expect(failure.answer?.status).toBe(401);
      expect(failure.answer?.text).toMatch(/TokenVerifierError/);
    });

    it("a token of this service's native protocol", async () => {
      const boot = await siegel.machines.enclave('native').attest(siegel.service);
      const failure = (await kbs
        .client('app')
        .getResourceWithToken(PATH, boot.response.token)
        .catch((e: unknown) => e)) as KbsFailure;
      expect(failure.answer?.status).toBe(401);
    });

    it.each<readonly [string, string, string | Buffer, number]>([
      ['no JSON', 'auth', 'hello', 400],
      ['no body', 'auth', '', 400],
      ['a list', 'auth', '[]', 400],
      ['no extra-params', 'auth', '{"version":"0.4.0","tee":"sgx"}', 400],
      ['a version of the future', 'auth', '{"version":"0.5.0","tee":"sgx","extra-params":""}', 400],
      ['a TEE that does not exist', 'auth', '{"version":"0.4.0","tee":"abacus","extra-params":""}', 400],
      ['a TEE that is not verified', 'auth', '{"version":"0.4.0","tee":"snp","extra-params":""}', 400],
      ['far too much', 'auth', Buffer.alloc(9_000, 0x20), 413],
      ['no JSON', 'attest', '{"runtime-data":', 400],
      ['deep nesting', 'attest', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400],
      ['no evidence', 'attest', '{"runtime-data":{"nonce":"","tee-pubkey":{}}}', 400],
      ['far too much', 'attest', Buffer.alloc(300 * 1024, 0x20), 413],
    ])('%s to /%s', async (_what, endpoint, body, status) => {
      const client = kbs.client('app');
      if (endpoint === 'attest') await client.auth();
      const answer = await client.connection.call('POST', `/kbs/v0/${endpoint}`, { body });
      expect(answer.status).toBe(status);
      expect(JSON.parse(answer.text)).toEqual({
        type: expect.stringMatching(/kbs\/errors\/(SerdeError|AttestationError)$/),
        detail: expect.stringMatching(/^[A-Z_]+( \([A-Z_]+\))?: .+/),
      });
    });

    it.each<readonly [string, (body: Record<string, object>) => unknown, RegExp]>([
      [
        'no additional_evidence',
        (body) => ({ ...body, 'tee-evidence': { primary_evidence: {} } }),
        /additional_evidence/,
      ],
      [
        'init-data as JSON',
        (body) => ({ ...body, 'init-data': { format: 'json', body: '{}' } }),
        /init-data/,
      ],
      [
        'init-data of another version',
        (body) => ({ ...body, 'init-data': { format: 'toml', body: 'a = 1' } }),
        /version/,
      ],
      [
        'evidence in base64url',
        (body) => ({
          ...body,
          'tee-evidence': { primary_evidence: { quote: '__--' }, additional_evidence: '' },
        }),
        /base64/,
      ],
      [
        'a key on P-384',
        (body) => ({
          ...body,
          'runtime-data': {
            ...body['runtime-data'],
            'tee-pubkey': {
              ...generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }),
              alg: 'ECDH-ES+A256KW',
            },
          },
        }),
        /tee-pubkey/,
      ],
      [
        'a key that is no point',
        (body) => ({
          ...body,
          'runtime-data': {
            ...body['runtime-data'],
            'tee-pubkey': {
              kty: 'EC',
              crv: 'P-256',
              alg: 'ECDH-ES+A256KW',
              x: Buffer.alloc(32, 1).toString('base64url'),
              y: Buffer.alloc(32, 1).toString('base64url'),
            },
          },
        }),
        /PUBLIC_KEY_INVALID/,
      ],
      [
        'an empty quote',
        (body) => ({
          ...body,
          'tee-evidence': { primary_evidence: { quote: '' }, additional_evidence: '' },
        }),
        /quote/,
      ],
    ])('an attestation with %s, which leaves the session its attempt', async (_what, change, text) => {
      const client = kbs.client('app', { change: change as never });
      const nonce = await client.auth();
      const failure = (await client.attest(nonce).catch((error: unknown) => error)) as KbsFailure;
      expect(failure.answer?.status).toBe(400);
      expect(failure.message).toMatch(text);
      const again = kbs.client('app', { key: client.key });
      again.connection.borrow(client.connection.session);
      expect((await again.attest(nonce)).length).toBeGreaterThan(100);
    });

    it.each([
      ['GET', '/kbs/v0/resource/a/b', 404, 'InvalidRequestPath'],
      ['GET', '/kbs/v0/resource/a/b/..', 404, 'InvalidRequestPath'],
      ['GET', '/kbs/v0/resource/a/b/%2e%2e', 404, 'InvalidRequestPath'],
      ['GET', '/kbs/v0/resource/a/b/c/d', 404, 'InvalidRequestPath'],
      ['GET', '/kbs/v0/nebula-ca/credential', 404, 'PluginNotFound'],
      ['GET', '/kbs/v0/auth', 405, 'InvalidRequestPath'],
      ['PUT', `/kbs/v0/resource/${PATH}`, 405, 'InvalidRequestPath'],
      ['GET', '/kbs/v1/resource/a/b/c', 404, 'InvalidRequestPath'],
      ['GET', '/healthz', 200, ''],
    ])('%s %s: %i %s', async (method, path, status, kind) => {
      const answer = await new KbsConnection(kbs.transport).call(method, path);
      expect(answer.status).toBe(status);
      expect(answer.text).toMatch(kind);
    });
  });

  describe('administration', () => {
    const call = async (method: string, path: string, bearer: string | undefined, body?: string | Buffer) =>
      new KbsConnection(kbs.transport).call(method, `/kbs/v0/${path}`, {
        ...(bearer === undefined ? {} : { bearer }),
        ...(body === undefined ? {} : { body, contentType: 'application/octet-stream' }),
      });

    it('writes and deletes what a path stands for, with an event each', async () => {
      const path = 'resource/default/key/missing';
      await kbs.tail.next();
      const bytes = randomBytes(64);
      expect((await call('POST', path, await kbs.adminToken(), bytes)).status).toBe(200);
      expect(await kbs.client('app').getResource('default/key/missing')).toEqual(bytes);
      const replaced = Buffer.from('as text\n');
      expect((await call('POST', path, await kbs.adminToken({ role: 'writer' }), replaced)).status).toBe(200);
      expect(await kbs.client('app').getResource('default/key/missing')).toEqual(replaced);
      expect((await call('POST', 'resource/default/key/bytes', await kbs.adminToken(), BYTES)).status).toBe(
        200,
      );
      expect(await kbs.client('app').getResource('default/key/bytes')).toEqual(BYTES);
      expect((await call('DELETE', path, await kbs.adminToken())).status).toBe(200);
      await expect(kbs.client('app').getResource('default/key/missing')).rejects.toThrow(/does not have it/);
      const acts = (await kbs.tail.next()).filter(({ type }) => /^secret\.(set|deleted)$/.test(type));
      expect(acts.map(({ type, data }) => [type, (data as { actor: string }).actor])).toEqual([
        ['secret.set', 'trustee:alice'],
        ['secret.set', 'trustee:alice'],
        ['secret.set', 'trustee:alice'],
        ['secret.deleted', 'trustee:alice'],
      ]);
    });

    it.each<readonly [string, number, Record<string, unknown> | undefined]>([
      ['no token', 401, undefined],
      ['a token that has expired', 401, { exp: 1_000, iat: 900 }],
      ['a token without an end', 401, { exp: null }],
      ['a token for ten years', 401, { exp: Math.floor(Date.now() / 1_000) + 315_360_000 }],
      ['a token of another issuer', 401, { iss: 'https://evil.example' }],
      ['a token for another audience', 401, { aud: 'something' }],
      ['a token without a subject', 401, { sub: null }],
      ['a role that there is not', 403, { role: 'root' }],
      ['a role by the name of a method of objects', 403, { role: 'constructor' }],
      ['a role of another tenant', 403, { role: 'foreign' }],
      ['no role', 403, { role: null }],
    ])('%s: %i', async (_what, status, change) => {
      const token = change === undefined ? undefined : await kbs.adminToken(change);
      const answer = await call('POST', 'resource/default/key/missing', token, 'x');
      expect(answer.status).toBe(status);
      expect(answer.text).toMatch(/kbs\/errors\/AdminAuthAccess/);
    });

    it('a token by a key of nobody, and roles by method and by path', async () => {
      const stranger = generateKeyPairSync('ed25519').privateKey;
      const forgedToken = await kbs.adminToken({}, stranger);
      expect((await call('POST', 'resource/default/key/missing', forgedToken, 'x')).status).toBe(401);
      const writer = await kbs.adminToken({ role: 'writer' });
      expect((await call('DELETE', 'resource/default/key/missing', writer)).status).toBe(403);
      expect((await call('POST', 'resource/other/key/test', writer, 'x')).status).toBe(403);
      expect((await call('POST', 'resource/other/key/test?default/key/test', writer, 'x')).status).toBe(403);
    });

    it('a path of no workload, an empty resource, one that is too large, policies and reference values', async () => {
      const token = await kbs.adminToken();
      expect((await call('POST', 'resource/a/b/none', token, 'x')).status).toBe(404);
      expect((await call('POST', 'resource/default/key/missing', token, '')).status).toBe(400);
      expect((await call('POST', 'resource/default/key/missing', token, Buffer.alloc(30_000))).status).toBe(
        413,
      );
      const policy = (rego: string) => JSON.stringify({ policy: Buffer.from(rego).toString('base64url') });
      const allowAll = await call(
        'POST',
        'resource-policy',
        token,
        policy('package policy\ndefault allow = true\n'),
      );
      expect(allowAll).toMatchObject({
        status: 400,
        text: expect.stringMatching(/ParsePolicyError.*allow_all/),
      });
      const own = await call(
        'POST',
        'attestation-policy',
        token,
        policy('package policy\nallow { input.x }'),
      );
      expect(own).toMatchObject({ status: 400, text: expect.stringMatching(/Rego is not evaluated here/) });
      expect(await call('GET', 'resource-policy', token)).toMatchObject({ status: 200, text: '[]' });
      expect((await call('POST', 'reference-value', token, '{}')).text).toMatch(/no reference values/);
      expect((await call('POST', 'resource-policy', undefined, '{}')).status).toBe(401);
    });
  });

  describe('replays the recordings of the real clients', () => {
    const COOKIE = 'kbs-session-id=<id>; Expires=<date>';
    const cookie = `cookie: recorded ${COOKIE}, here ${COOKIE}; Path=/kbs/v0; HttpOnly; SameSite=Strict; Secure`;
    const attested = `cookie: recorded undefined, here ${COOKIE}; Path=/kbs/v0; HttpOnly; SameSite=Strict; Secure`;

    (existsSync(RECORDINGS) ? it.each(['sample', 'sgx-gramine']) : it.skip.each(['sample', 'sgx-gramine']))(
      'transcript-%s.json, with no difference but those that docs/wrappers/trustee.md explains',
      async (name) => {
        const file = join(RECORDINGS, `transcript-${name}.json`);
        const recording = JSON.parse(readFileSync(file, 'utf8')) as Exchange[];
        const enclave = kbs.enclave('app');
        const differences = await replay(kbs.transport, recording, {
          // The recorded quote is unsigned.
          evidence: (tee, reportData) => (tee === 'sample' ? SAMPLE : enclave).evidence(reportData),
          adminToken: await kbs.adminToken(),
        });
        const count = (url: string) => recording.filter(({ req }) => req.url.endsWith(url)).length;
        expect(count('/attest')).toBeGreaterThan(0);
        expect(differences.sort()).toEqual(
          [
            ...Array<string>(count('/auth')).fill(`POST auth: ${cookie}`),
            ...Array<string>(count('/attest')).fill(`POST attest: ${attested}`),
            ...recording
              .filter(({ req }) => /-policy$|reference-value/.test(req.url))
              .map(
                ({ req }) =>
                  `${req.method} ${req.url.slice('/kbs/v0/'.length)}: status: recorded 200, here 400`,
              ),
          ].sort(),
        );
      },
    );
  });

  (existsSync(RECORDINGS) ? it : it.skip)(
    'a token for the sample attester has the members of a real one, but for those that docs/wrappers/trustee.md explains',
    async () => {
      const real = readFileSync(join(RECORDINGS, 'real-ear-token-sample.jwt'), 'utf8').trim();
      const own = await new KbsClient(kbs.transport, SAMPLE).getToken();
      const members = (token: string): Set<string> =>
        new Set(
          token
            .split('.', 2)
            .flatMap((part) => pathsOf(JSON.parse(Buffer.from(part, 'base64url').toString()))),
        );
      const [theirs, ours] = [members(real), members(own)];
      const evidence = 'submods.cpu0.ear.veraison.annotated-evidence';
      const top = (paths: string[]) =>
        new Set(paths.map((path) => path.replace(/^(siegel|.*\.sample)\..*/, '$1')));
      expect(top([...theirs].filter((path) => !ours.has(path)))).toEqual(
        new Set([`${evidence}.report_data`, `${evidence}.sample`]),
      );
      expect(top([...ours].filter((path) => !theirs.has(path)))).toEqual(new Set(['kid', 'siegel']));
    },
  );

  describe('without a service that it needs', () => {
    const statusOf = async (attempt: Promise<unknown>) =>
      ((await attempt.catch((error: unknown) => error)) as KbsFailure).answer;

    it('gives no resource that the log has not promised to keep, and no session without a verdict', async () => {
      const client = kbs.client('app');
      await client.handshake();
      await siegel.frozen('audit', async () => {
        const unlogged = await statusOf(client.getResource(PATH));
        expect(unlogged).toMatchObject({ status: 503, text: expect.stringMatching(/AUDIT_UNAVAILABLE/) });
        expect(await statusOf(kbs.client('app').getToken())).toMatchObject({ status: 503 });
      });
      await siegel.ready();
      expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      await siegel.frozen('quote-verifier', async () => {
        const unverified = await statusOf(kbs.client('app').getToken());
        expect(unverified).toMatchObject({
          status: 503,
          headers: { 'retry-after': '1' },
          text: expect.stringMatching(/VERIFIER_UNAVAILABLE/),
        });
        // What was attested before needs no verifier.
        expect((await client.getResource(PATH)).toString()).toBe(TEXT);
      });
    });
  });

  it('never wrote a secret to a log', () => {
    expect(siegel.logText()).not.toContain(TEXT);
    expect(siegel.logText()).not.toContain(BYTES.toString('base64'));
  });
});

/** Every member with what leads to it. */
function pathsOf(value: unknown, base = ''): string[] {
  if (typeof value !== 'object' || value === null) return [base];
  const members = Object.entries(value);
  return members.length === 0
    ? [base]
    : members.flatMap(([name, member]) => pathsOf(member, base === '' ? name : `${base}.${name}`));
}

/** The same claims, signed by a key that the token itself brings. */
function forged(token: string): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [head, payload] = token.split('.') as [string, string];
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256' };
  const input = `${Buffer.from(JSON.stringify({ ...header, jwk })).toString('base64url')}.${payload}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
