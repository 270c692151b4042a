import { AnjunaAttestResponse, BUCKETS, ReleasePayload } from '#contracts';
import { openJwe, PublicKey } from '#pki';
import type { QuoteRequest } from '#simulator';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { constants, generateKeyPairSync, hash, type KeyObject, privateDecrypt } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AnjunaDeployment,
  DENIED,
  LOGIN,
  refusalOf,
  SECRETS,
  type VaultAnswer,
} from './anjuna/deployment.js';
import { siegel as commandLine } from './cli-command.js';
import { temporaryFolder } from './harness/index.js';

jest.setTimeout(120_000);

const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });
const opened = (ciphertext: string): string =>
  privateDecrypt(
    { key: rsa.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
    Buffer.from(ciphertext, 'base64'),
  ).toString();
const pem = (key: KeyObject, type: 'pkcs1' | 'spki'): string => key.export({ format: 'pem', type }) as string;
const der = (key: KeyObject, type: 'pkcs1' | 'spki'): string =>
  (key.export({ format: 'der', type }) as Buffer).toString('base64');

describe('users of Anjuna', () => {
  let anjuna: AnjunaDeployment;

  beforeAll(async () => {
    anjuna = await AnjunaDeployment.start();
  });
  beforeEach(() => anjuna.events());
  afterAll(() => anjuna?.stop());

  describe('provisioning files', () => {
    const hand = (members: object) => anjuna.siegel.service.post('/v1/attest/anjuna', members);
    const files = (word = 'app', key = rsa.publicKey, change: QuoteRequest = {}) => ({
      quote: anjuna.provision(word, key, 'spki', change).toString('base64'),
      publicKey: pem(key, 'spki'),
    });

    it.each([
      ['pkcs1', 'PEM of PKCS #1', pem(rsa.publicKey, 'pkcs1')],
      ['pkcs1', 'PEM of SPKI', pem(rsa.publicKey, 'spki')],
      ['pkcs1', 'DER of PKCS #1', der(rsa.publicKey, 'pkcs1')],
      ['spki', 'DER of SPKI', der(rsa.publicKey, 'spki')],
      ['spki', 'PEM of PKCS #1', pem(rsa.publicKey, 'pkcs1')],
    ] as const)('a hash of %s, the key as %s: one JWE for the enclave', async (hashed, _form, publicKey) => {
      const quote = anjuna.provision('app', rsa.publicKey, hashed).toString('base64');
      const { status, body, headers } = await hand({ quote, publicKey });
      expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
      const answer = AnjunaAttestResponse.parse(body);
      if (answer.form !== 'jwe') throw new Error('another form');
      const { plaintext, header } = openJwe(answer.release, rsa.privateKey);
      expect(header).toMatchObject({ alg: 'RSA-OAEP-256', enc: 'A256GCM' });
      expect(ReleasePayload.parse(JSON.parse(plaintext.toString())).env).toEqual({
        PASSWORD: SECRETS.password,
      });
      const [event, ...others] = await anjuna.events();
      expect(others).toEqual([]);
      expect(event).toMatchObject({
        type: 'attestation.granted',
        workload: 'app',
        data: { protocol: 'anjuna', binding: 'sha512-rsa-der' },
      });
      expect(JSON.stringify(event)).not.toContain(SECRETS.password);
    });

    it('each secret in a ciphertext of its own', async () => {
      const { status, text, body } = await hand({ ...files(), form: 'rsa-oaep-256' });
      expect(status).toBe(200);
      const answer = AnjunaAttestResponse.parse(body);
      if (answer.form !== 'rsa-oaep-256') throw new Error('another form');
      expect(opened(answer.env['PASSWORD']!)).toBe(SECRETS.password);
      expect(answer.files.map(({ path, content }) => [path, opened(content)])).toEqual([
        ['/run/secrets/config.json', SECRETS['json-config']],
        ['/run/secrets/key', SECRETS['database-key']],
      ]);
      expect(text).not.toContain(SECRETS.password);
    });

    it('a secret that is too large for RSA is denied so, and fits into a JWE', async () => {
      const { status, body } = await hand({ ...files('large'), form: 'rsa-oaep-256' });
      expect([status, body]).toMatchObject([403, { code: 'SECRET_UNUSABLE' }]);
      await anjuna.expectDenied('ANJUNA_SECRET_TOO_LONG');
      expect((await hand(files('large'))).status).toBe(200);
    });

    const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    it.each<[string, () => object, number, string]>([
      ['another key', () => ({ ...files(), publicKey: pem(otherKey, 'spki') }), 403, 'BINDING_MISMATCH'],
      [
        'a debug enclave',
        () => files('app', rsa.publicKey, { debug: true } as QuoteRequest),
        403,
        'DEBUG_ENCLAVE',
      ],
      ['a wrong measurement', () => files('stranger'), 403, 'MEASUREMENT_NOT_ALLOWED'],
      ['a workload without this binding', () => files('native'), 403, 'BINDING_NOT_ALLOWED'],
      ['a quote that is none', () => ({ ...files(), quote: 'AAAA' }), 400, 'QUOTE_TOO_SHORT'],
      ['no base64', () => ({ ...files(), quote: '!' }), 400, 'QUOTE_NOT_BASE64'],
      ['an empty quote', () => ({ ...files(), quote: '' }), 400, 'EVIDENCE_EMPTY'],
      [
        'a private key',
        () => ({ ...files(), publicKey: rsa.privateKey.export({ format: 'pem', type: 'pkcs1' }) }),
        400,
        'PROVISIONING_KEY_INVALID',
      ],
      [
        'a private key without a label',
        () => ({
          ...files(),
          publicKey: (
            generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
              format: 'der',
              type: 'pkcs1',
            }) as Buffer
          ).toString('base64'),
        }),
        400,
        'PROVISIONING_KEY_INVALID',
      ],
      [
        'a key of another kind',
        () => ({
          ...files(),
          publicKey: pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, 'spki'),
        }),
        400,
        'PROVISIONING_KEY_INVALID',
      ],
      ['a form that is none', () => ({ ...files(), form: 'sealed' }), 400, 'REQUEST_MALFORMED'],
    ])('refuses %s', async (_what, members, status, reason) => {
      const answer = await hand(members());
      expect(answer.status).toBe(status);
      await anjuna.expectDenied(reason);
    });

    it('are handed in by "siegel attest"', async () => {
      const folder = temporaryFolder();
      try {
        const path = (name: string) => join(folder, name);
        writeFileSync(path('APP.quote.bin'), anjuna.provision('app', rsa.publicKey, 'pkcs1'));
        writeFileSync(path('APP.provision.key'), pem(rsa.publicKey, 'pkcs1'));
        const args = ['attest', '--state', anjuna.siegel.state, '--quote', path('APP.quote.bin')];
        const key = ['--public-key', path('APP.provision.key'), '--binding', 'sha512-rsa-der'];
        const written = await commandLine([...args, ...key, '--out', path('out.json')]);
        expect([written.code, written.err]).toEqual([0, '']);
        const { release } = JSON.parse(readFileSync(path('out.json'), 'utf8')) as { release: string };
        expect(openJwe(release, rsa.privateKey).plaintext.toString()).toContain(SECRETS.password);
        const single = await commandLine([...args, ...key, '--form', 'rsa-oaep-256']);
        expect(opened(single.json<{ env: Record<string, string> }>().env['PASSWORD']!)).toBe(
          SECRETS.password,
        );
        const wrong = await commandLine([
          ...args,
          '--public-key',
          path('APP.provision.key'),
          '--binding',
          'sha256-spki',
        ]);
        expect(wrong.code).toBe(1);
        expect(wrong.err).toContain('BINDING_MISMATCH');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });

  describe('a stock Vault client (node-vault)', () => {
    it('reads its granted secrets from either engine, and nothing else', async () => {
      const token = await (await anjuna.enclave('app')).login();
      const vault = anjuna.client(token);
      await anjuna.events();
      expect(((await vault.read('demo/password')) as VaultAnswer).data).toEqual({ value: SECRETS.password });
      const { data } = (await vault.read('demo/data/password')) as VaultAnswer;
      expect(data).toMatchObject({
        data: { value: SECRETS.password },
        metadata: { version: 1, destroyed: false, custom_metadata: { siegel_version: expect.any(String) } },
      });
      expect(((await vault.read('demo/json-config')) as VaultAnswer).data).toMatchObject({ user: 'app' });
      // By the alias of the manifest, where the vault has no such name.
      expect(((await vault.read('demo/database_key')) as VaultAnswer).data).toEqual({
        value: SECRETS['database-key'],
      });
      const events = await anjuna.events();
      expect(events.map(({ type }) => type)).toEqual(Array.from({ length: 4 }, () => 'release.granted'));
      expect(events[0]).toMatchObject({
        workload: 'app',
        data: { protocol: 'anjuna-vault', grants: [{ objectName: 'password' }] },
      });
      for (const path of ['demo/foreign', 'demo/data/foreign', 'demo/nothing', 'elsewhere/password']) {
        expect(await refusalOf(vault.read(path))).toEqual(DENIED);
        const event = await anjuna.expectDenied('SECRET_NOT_GRANTED', 'release.denied');
        expect(event).toMatchObject({ workload: 'app', data: { protocol: 'anjuna-vault' } });
      }
      expect(JSON.stringify(events) + anjuna.siegel.logText()).not.toContain(SECRETS.password);
      expect(anjuna.siegel.logText()).not.toContain(token);
    });

    it('has the bytes of a JSON secret, and either header will do', async () => {
      const token = await (await anjuna.enclave('app')).login();
      for (const headers of [{ 'x-vault-token': token }, { authorization: `Bearer ${token}` }]) {
        const answer = await anjuna.siegel.service.call('GET', '/vault/v1/demo/data/json-config', {
          headers,
        });
        expect(answer.status).toBe(200);
        expect(answer.text).toContain(`"data":{"data":${SECRETS['json-config']},`);
        expect(answer.headers['cache-control']).toBe('no-store');
      }
    });

    it('learns about its token, the mount and the state of the service', async () => {
      const enclave = await anjuna.enclave('app');
      const vault = anjuna.client(await enclave.login());
      const { data } = (await vault.tokenLookupSelf()) as VaultAnswer;
      expect(data).toMatchObject({
        policies: ['app'],
        renewable: false,
        meta: { tenant: 'default', simulated: 'true' },
      });
      expect(data['ttl']).toBeLessThanOrEqual(900);
      expect(((await vault.read('sys/internal/ui/mounts/demo/password')) as VaultAnswer).data).toMatchObject({
        path: 'demo/',
        type: 'kv',
        options: { version: '2' },
      });
      expect(await anjuna.client().health()).toMatchObject({ initialized: true, sealed: false });
      expect(await anjuna.client().read('sys/seal-status')).toMatchObject({ sealed: false });
      expect(await refusalOf(vault.tokenRenewSelf())).toEqual([400, { errors: ['lease is not renewable'] }]);
    });

    it('logs in as the command line does: PUT without a content type', async () => {
      const enclave = await anjuna.enclave('app');
      const answer = await anjuna.siegel.service.call('PUT', LOGIN, {
        body: JSON.stringify(await enclave.request()),
      });
      expect(answer.status).toBe(200);
      const { auth } = answer.body as VaultAnswer;
      expect(auth).toMatchObject({ renewable: false, policies: ['app'], metadata: { workload: 'app' } });
      expect(auth!['lease_duration']).toBeLessThanOrEqual(900);
      const token = auth!.client_token;
      expect(((await anjuna.client(token).read('demo/password')) as VaultAnswer).data['value']).toBe(
        SECRETS.password,
      );
      // Elsewhere a content type is still needed.
      const native = await anjuna.siegel.service.call('POST', '/v1/attest', { body: '{}' });
      expect(native.status).toBe(415);
    });

    it.each([
      ['writes', 'VAULT_READ_ONLY', (vault: Client) => vault.write('demo/password', { value: 'x' })],
      [
        'writes of engine 2',
        'VAULT_READ_ONLY',
        (vault: Client) => vault.write('demo/data/password', { data: {} }),
      ],
      ['deletes', 'VAULT_READ_ONLY', (vault: Client) => vault.delete('demo/password')],
      ['lists', 'VAULT_READ_ONLY', (vault: Client) => vault.read('demo/metadata?list=true')],
      [
        'a version by number',
        'VAULT_VERSION_UNKNOWN',
        (vault: Client) => vault.read('demo/data/password?version=3'),
      ],
      ['other calls of Vault', 'VAULT_PATH_UNKNOWN', (vault: Client) => vault.read('sys/mounts')],
      ['paths that are none', 'VAULT_PATH_UNKNOWN', (vault: Client) => vault.read('demo/metadata/password')],
    ])('is refused %s, and the log says why', async (_what, reason, call) => {
      const vault = anjuna.client(await (await anjuna.enclave('app')).login());
      await anjuna.events();
      expect(await refusalOf(call(vault))).toEqual(DENIED);
      await anjuna.expectDenied(reason, 'release.denied');
    });

    it('is no token: nothing, anything, an attestation token, and the other way round', async () => {
      const enclave = await anjuna.enclave('app');
      const token = await enclave.login();
      await anjuna.events();
      for (const [wrong, reason] of [
        [undefined, 'TOKEN_MISSING'],
        ['hvs.x', 'JWT_MALFORMED'],
        [enclave.response.token, 'JWT_TYP_REFUSED'],
      ] as const) {
        expect(await refusalOf(anjuna.client(wrong).read('demo/password'))).toEqual(DENIED);
        await anjuna.expectDenied(reason);
      }
      const request = await enclave.request({ method: 'GET', path: '/v1/release' });
      const answer = await anjuna.siegel.service.call('GET', '/v1/release', {
        headers: { authorization: `DPoP ${token}`, dpop: request.proof },
      });
      expect([answer.status, answer.body]).toMatchObject([401, { code: 'TOKEN_INVALID' }]);
    });

    // This deployment keeps no log for the other tenant, so its event fails as well; vault-sessions.spec.ts has the reason.
    it('of another tenant is refused, with token or login', async () => {
      const enclave = await anjuna.enclave('app');
      const host = { host: 'elsewhere.test' };
      const headers = { ...host, 'x-vault-token': await enclave.login() };
      const read = await anjuna.siegel.service.call('GET', '/vault/v1/demo/password', { headers });
      expect(read.status).toBeGreaterThanOrEqual(400);
      expect(Object.keys(read.body as object)).toEqual(['errors']);
      expect(read.text).not.toContain(SECRETS.password);
      const body = JSON.stringify(await enclave.request());
      const login = await anjuna.siegel.service.call('POST', LOGIN, { headers: host, body });
      expect(login.status).toBeGreaterThanOrEqual(400);
      expect(login.text).not.toContain('client_token');
    });

    it('has no token without a fresh proof of the bound key', async () => {
      const enclave = await anjuna.enclave('app');
      const request = await enclave.request();
      const vault = anjuna.client();
      await vault.write('auth/siegel/login', request);
      await anjuna.events();
      expect(await refusalOf(vault.write('auth/siegel/login', request))).toEqual(DENIED);
      await anjuna.expectDenied('DPOP_REPLAYED');
      // Of a proof that another replica has taken, this one knows by the store they share.
      const kv = await new Kvm(jetstream(await anjuna.siegel.nats('key_release'))).open(BUCKETS.loginProofs);
      const elsewhere = await enclave.request();
      const [header, payload] = elsewhere.proof
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString());
      const { thumbprint } = PublicKey.fromJwk((JSON.parse(header!) as { jwk: unknown }).jwk);
      const { htu, jti } = JSON.parse(payload!) as { htu: string; jti: string };
      await kv.create(hash('sha256', `dpop ${thumbprint} ${htu} ${jti}`), '');
      expect(await refusalOf(vault.write('auth/siegel/login', elsewhere))).toEqual(DENIED);
      await anjuna.expectDenied('DPOP_REPLAYED');
      const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      expect(await refusalOf(vault.write('auth/siegel/login', await enclave.request({ key })))).toEqual(
        DENIED,
      );
      await anjuna.expectDenied('DPOP_KEY_MISMATCH');
      for (const change of [{ method: 'GET' }, { path: '/v1/release' }]) {
        expect(await refusalOf(vault.write('auth/siegel/login', await enclave.request(change)))).toEqual(
          DENIED,
        );
        await anjuna.expectDenied('method' in change ? 'DPOP_METHOD_MISMATCH' : 'DPOP_URL_MISMATCH');
      }
      const [status] = await refusalOf(vault.write('auth/siegel/login', { token: request.token }));
      expect(status).toBe(400);
      await anjuna.expectDenied('REQUEST_MALFORMED');
    });

    it('speaks of what never reached it in its own words', async () => {
      const { service } = anjuna.siegel;
      for (const [body, status] of [
        ['{', 400],
        [JSON.stringify({ token: 'x'.repeat(70_000) }), 413],
      ] as const) {
        const answer = await service.call('POST', LOGIN, { body });
        expect([answer.status, answer.body]).toEqual([status, { errors: [expect.any(String)] }]);
        expect(answer.headers['content-type']).toMatch(/^application\/json/);
      }
    });

    it('ends with the session', async () => {
      const enclave = await anjuna.enclave('app');
      const token = await enclave.login();
      const path = `/v1/tenants/default/sessions/${enclave.response.session}/revoke`;
      expect((await anjuna.siegel.adminCall('POST', path)).status).toBe(200);
      await anjuna.events();
      const vault = anjuna.client(token);
      for (const call of [() => vault.read('demo/password'), () => vault.tokenLookupSelf()]) {
        expect(await refusalOf(call())).toEqual(DENIED);
        await anjuna.expectDenied('SESSION_REVOKED', 'release.denied');
      }
      expect(await refusalOf(anjuna.client().write('auth/siegel/login', await enclave.request()))).toEqual(
        DENIED,
      );
      await anjuna.expectDenied('SESSION_REVOKED', 'release.denied');
    });
  });
});

type Client = ReturnType<AnjunaDeployment['client']>;
