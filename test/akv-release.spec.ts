import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { KeyClient } from '@azure/keyvault-keys';
import type { AuditEvent } from '#contracts';
import { makeTransport } from '#vault';
import { AttestationService, ISSUER, MRENCLAVE, POLICY, type Wrapping } from './akv-release-fixture.js';
import { AzureWorld, UNCACHED } from './azure-deployment.js';
import { eventually, type EventTail, type RunningSiegel } from './harness/index.js';

jest.setTimeout(180_000);

const HOST = 'release.shop.example';
const VERSION = 'api-version=2025-07-01';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const PKCS8 = rsa.privateKey.export({ format: 'der', type: 'pkcs8' });
const SYMMETRIC = randomBytes(32);
const service = new AttestationService();

let azure: AzureWorld;
let siegel: RunningSiegel;
let rootPem: string;
let first: string;
let tail: EventTail;

beforeAll(async () => {
  azure = await AzureWorld.start({ vaults: ['prod'] });
  const { secrets } = azure.sdk;
  const pem = rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
  first = (await secrets.setSecret('rsa-key', pem)).properties.version!;
  await secrets.setSecret('ec-key', JSON.stringify(ec.privateKey.export({ format: 'jwk' })));
  await secrets.setSecret('raw-key', SYMMETRIC.toString('base64'), {
    contentType: 'application/octet-stream',
  });
  await secrets.setSecret('disabled-key', pem, { enabled: false });
  await secrets.setSecret('broken-key', 'no key at all');
  const key = (objectName: string, more: object = {}) => ({
    vault: 'prod',
    objectName,
    releasePolicyFile: 'policy.json',
    ...more,
  });
  azure.write('policy.json', POLICY);
  azure.write('maa-certs.json', service.jwks());
  const keys = azure.write('keys.json', {
    resource: 'https://shop.example',
    tenants: {
      default: {
        authorities: { [ISSUER]: { jwksFile: 'maa-certs.json' } },
        keys: {
          app: key('rsa-key'),
          pinned: key('rsa-key', { objectVersion: first }),
          curve: key('ec-key', { format: 'jwk' }),
          symmetric: key('raw-key', { format: 'raw' }),
          disabled: key('disabled-key'),
          broken: key('broken-key'),
          gone: key('no-such-secret'),
        },
      },
    },
  });
  siegel = await azure.deploy({ prod: { ...azure.files.vaultSettings('prod'), reader: UNCACHED } }, [
    ...['--env', `SIEGEL_AKV_KEYS_FILE=${keys}`],
    ...['--env', `SIEGEL_TLS_NAMES=localhost,127.0.0.1,${HOST}`],
  ]);
  rootPem = readFileSync(siegel.layout.caCertificate, 'utf8');
  tail = await siegel.log.tail();
});
afterAll(async () => {
  await siegel?.stop();
  await azure?.stop();
  if (azure) rmSync(azure.dir, { recursive: true, force: true });
});

const ask = (path: string, body: object) => siegel.service.post(path, body);
const release = async (name: string, body: object = {}, target?: string) => {
  const answer = await ask(`/keys/${name}/release?${VERSION}`, {
    target: target ?? (await service.token()),
    ...body,
  });
  expect(answer.text.includes('error') ? answer.text : answer.status).toBe(200);
  return (answer.body as { value: string }).value;
};
type Of<T extends AuditEvent['type']> = Extract<AuditEvent, { type: T }>;
const onlyEvent = async <T extends AuditEvent['type']>(type: T): Promise<Of<T>> => {
  const events = await tail.next();
  expect(events.map((event) => event.type)).toEqual([type]);
  return events[0] as Of<T>;
};

describe('release of a key in the protocol of Azure Key Vault', () => {
  it.each(['CKM_RSA_AES_KEY_WRAP', 'RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384'] as const)(
    'wraps by %s; the event was logged before and joins the log of the vault',
    async (enc: Wrapping) => {
      azure.fake.log.clear();
      const { material, payload } = service.open(
        await release('app', { enc, nonce: 'n-1' }),
        rootPem,
        'localhost',
        enc,
      );
      expect(material.equals(PKCS8)).toBe(true);
      const kid = `${siegel.endpoints.release}/keys/app/${first}`;
      expect(payload.request).toEqual({ 'api-version': '2025-07-01', enc, kid, nonce: 'n-1' });
      const { key, attributes, release_policy: policy } = payload.response.key;
      expect(key).toMatchObject({
        kid,
        kty: 'RSA-HSM',
        key_ops: ['export'],
        n: rsa.publicKey.export({ format: 'jwk' }).n,
      });
      expect(attributes).toMatchObject({ enabled: true, exportable: true });
      expect(JSON.parse(Buffer.from(policy.data, 'base64url').toString())).toEqual(POLICY);

      const { data, mrenclave, outcome } = await onlyEvent('key.released');
      expect({ mrenclave, outcome }).toEqual({ mrenclave: MRENCLAVE, outcome: 'granted' });
      expect(data).toMatchObject({
        protocol: 'akv-release',
        key: 'app',
        issuer: ISSUER,
        authority: ISSUER,
        vault: 'prod',
        objectName: 'rsa-key',
        version: first,
        wrapping: enc,
        tokenId: 'f0'.repeat(32),
      });
      expect(data.conditions.map(({ name, ok }) => `${name} ${ok}`)).toContain(
        'anyOf[0].allOf[2] x-ms-sgx-svn true',
      );
      expect(azure.fake.log.of('secrets/get').map(({ requestId }) => requestId)).toEqual([data.requestId]);
    },
  );

  it('the default wrapping is that of Key Vault', async () => {
    expect(service.open(await release('app'), rootPem, 'localhost', 'CKM_RSA_AES_KEY_WRAP').material).toEqual(
      PKCS8,
    );
  });

  it('releases EC keys from a JWK, and symmetric ones', async () => {
    const curve = service.open(await release('curve'), rootPem, 'localhost', 'CKM_RSA_AES_KEY_WRAP');
    expect(curve.material).toEqual(ec.privateKey.export({ format: 'der', type: 'pkcs8' }));
    expect(curve.payload.response.key.key).toMatchObject({ kty: 'EC-HSM', crv: 'P-384' });
    const raw = service.open(await release('symmetric'), rootPem, 'localhost', 'CKM_RSA_AES_KEY_WRAP');
    expect(raw.material).toEqual(SYMMETRIC);
    expect(raw.payload.response.key.key).toMatchObject({ kty: 'oct-HSM' });
    expect(raw.payload.response.key.key).not.toHaveProperty('k');
  });

  it('finds the key of the party in held data, as MarbleRun sends it', async () => {
    const jwks = JSON.stringify({ keys: [{ ...service.partyJwk, key_ops: 'encrypt' }] });
    const held = Buffer.from(jwks).toString('base64url');
    const token = await service.token({ 'x-ms-runtime': undefined, 'x-ms-sgx-ehd': held });
    const jws = await release('app', {}, token);
    expect(service.open(jws, rootPem, 'localhost', 'CKM_RSA_AES_KEY_WRAP').material).toEqual(PKCS8);
  });

  it('releases the version that is asked for, and none beside the configured one', async () => {
    const target = await service.token();
    const versioned = (name: string, version: string) =>
      ask(`/keys/${name}/${version}/release?${VERSION}`, { target });
    expect((await versioned('app', first)).status).toBe(200);
    expect((await versioned('pinned', first)).status).toBe(200);
    expect((await versioned('pinned', '0'.repeat(32))).body).toMatchObject({
      error: { code: 'KeyNotFound' },
    });
    await tail.next();
  });

  describe("the SDK's own client", () => {
    const credential = {
      getToken: () => Promise.resolve({ token: 'not looked at', expiresOnTimestamp: Date.now() + 3_600_000 }),
    };
    const clientOf = (url: string, options: { disableChallengeResourceVerification?: boolean } = {}) => {
      const transport = makeTransport({ caFile: siegel.layout.caCertificate, connectAddress: '127.0.0.1' });
      const client = new KeyClient(url, credential, {
        additionalPolicies: transport.policies,
        retryOptions: { maxRetries: 0 },
        ...options,
      });
      return { client, close: () => transport.close() };
    };

    it('works unmodified, its verification of the challenge on, under a host below the resource', async () => {
      const { client, close } = clientOf(siegel.endpoints.release.replace('localhost', HOST));
      const { value } = await client.releaseKey('app', await service.token(), {
        algorithm: 'RSA_AES_KEY_WRAP_256',
        nonce: 'sdk',
      });
      const { material, payload } = service.open(value, rootPem, HOST, 'RSA_AES_KEY_WRAP_256');
      expect(material).toEqual(PKCS8);
      expect(payload.request).toMatchObject({ nonce: 'sdk', enc: 'RSA_AES_KEY_WRAP_256' });
      const versioned = await client.releaseKey('app', await service.token(), { version: first });
      expect(service.open(versioned.value, rootPem, HOST, 'CKM_RSA_AES_KEY_WRAP').material).toEqual(PKCS8);
      const refused = await client
        .releaseKey('app', await service.token({ 'x-ms-sgx-svn': 1 }))
        .catch((error: unknown) => error as { statusCode: number; code: string });
      expect(refused).toMatchObject({ statusCode: 403, code: 'Forbidden' });
      close();
    });

    it('works under any other host with that verification off, and not with it on', async () => {
      const off = clientOf(siegel.endpoints.release, { disableChallengeResourceVerification: true });
      const { value } = await off.client.releaseKey('app', await service.token());
      expect(service.open(value, rootPem, 'localhost', 'CKM_RSA_AES_KEY_WRAP').material).toEqual(PKCS8);
      const on = clientOf(siegel.endpoints.release);
      await expect(on.client.releaseKey('app', await service.token())).rejects.toThrow(/challenge resource/);
      off.close();
      on.close();
    });
  });

  describe('refusals', () => {
    const weak = () =>
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const cases: [string, string, () => Promise<string>, string?][] = [
      ['an authority that is not trusted', 'JWT_ISSUER_REFUSED', () => service.token({ iss: `${ISSUER}/` })],
      [
        'a key that the token itself brings',
        'JWT_KEY_UNKNOWN',
        () =>
          service.token(
            {},
            {
              key: service.stranger.privateKey,
              header: { kid: 'own', jwk: service.stranger.publicKey.export({ format: 'jwk' }) },
            },
          ),
      ],
      [
        'a foreign signature',
        'JWT_SIGNATURE_INVALID',
        () => service.token({}, { key: service.stranger.privateKey }),
      ],
      [
        'no signature at all',
        'JWT_ALG_REFUSED',
        async () =>
          `${encode({ alg: 'none', kid: 'maa-1', typ: 'JWT' })}.${(await service.token()).split('.')[1]}.`,
      ],
      ['an expired token', 'JWT_EXPIRED', () => service.token({}, { age: 700, lifetime: 600 })],
      [
        'a token that is valid but hours old',
        'JWT_LIFETIME_REFUSED',
        () => service.token({}, { age: 3_600 }),
      ],
      [
        'another measurement',
        'POLICY_NOT_MET',
        () => service.token({ 'x-ms-sgx-mrenclave': 'ee'.repeat(32) }),
      ],
      ['a debug enclave', 'POLICY_NOT_MET', () => service.token({ 'x-ms-sgx-is-debuggable': true })],
      ['an old version', 'POLICY_NOT_MET', () => service.token({ 'x-ms-sgx-svn': 2 })],
      ['a missing claim', 'POLICY_NOT_MET', () => service.token({ 'x-ms-sgx-svn': undefined })],
      ['no key to wrap to', 'WRAPPING_KEY_MISSING', () => service.token({ 'x-ms-runtime': { keys: [] } })],
      [
        'a key that is too short to wrap to',
        'WRAPPING_KEY_MISSING',
        () => service.token({ 'x-ms-runtime': { keys: [{ ...weak(), kid: 'w', use: 'enc' }] } }),
      ],
      ['a disabled secret', 'SECRET_DISABLED', () => service.token(), 'disabled'],
      ['a secret that is no key', 'KEY_MATERIAL_INVALID', () => service.token(), 'broken'],
      ['a secret that is not there', 'SECRET_NOT_FOUND', () => service.token(), 'gone'],
    ];

    it.each(cases)(
      '%s: %s in the log, one and the same answer to the caller',
      async (_, code, token, name = 'app') => {
        await tail.next();
        const target = await token();
        const { status, body, text, headers } = await ask(`/keys/${name}/release?${VERSION}`, { target });
        expect({ status, body }).toEqual({
          status: 403,
          body: { error: { code: 'Forbidden', message: expect.stringContaining('cannot be verified') } },
        });
        expect(headers['x-ms-request-id']).toMatch(/^[0-9a-f-]{36}$/);
        expect(text).not.toContain(code);
        const { reason, outcome, data } = await onlyEvent('key.refused');
        expect({ code: reason!.code, outcome, key: data.key }).toEqual({
          code,
          outcome: 'denied',
          key: name,
        });
        expect(JSON.stringify(data)).not.toContain(target.split('.')[2] || 'no signature');
        if (code === 'POLICY_NOT_MET') {
          const failed = data.conditions.filter(({ ok }) => !ok);
          expect(failed).toHaveLength(1);
          expect(reason!.message).toContain(failed[0]!.expected);
        }
      },
    );

    it('malformed requests are answered in the shape of Key Vault', async () => {
      await tail.next();
      const target = await service.token();
      const wrong: [string, object, number, string][] = [
        ['/keys/app/release', { target }, 400, 'BadParameter'],
        [`/keys/app/release?${VERSION}`, {}, 400, 'BadParameter'],
        [`/keys/app/release?${VERSION}`, { target, enc: 'RSA1_5' }, 400, 'BadParameter'],
        [`/keys/app/release?${VERSION}`, { target: 7 }, 400, 'BadParameter'],
        [`/keys/a_b/release?${VERSION}`, { target }, 400, 'BadParameter'],
        [`/keys/app/latest/release?${VERSION}`, { target }, 400, 'BadParameter'],
        [`/keys/unknown/release?${VERSION}`, { target }, 404, 'KeyNotFound'],
      ];
      for (const [path, body, status, code] of wrong) {
        const answer = await ask(path, body);
        expect({ path, status: answer.status, body: answer.body }).toEqual({
          path,
          status,
          body: { error: { code, message: expect.any(String) } },
        });
      }
      const json = { 'content-type': 'application/json' };
      for (const [body, status] of [
        ['{', 400],
        [`{"target":"${'x'.repeat(70_000)}"}`, 413],
      ] as const) {
        const answer = await siegel.service.call('POST', `/keys/app/release?${VERSION}`, {
          headers: json,
          body,
        });
        expect({ status: answer.status, body: answer.body }).toEqual({
          status,
          body: { error: { code: 'BadParameter', message: expect.any(String) } },
        });
      }
      expect(await tail.next()).toEqual([]);
    });

    it('without a body comes the challenge', async () => {
      const { status, headers } = await siegel.service.call('POST', `/keys/app/release?${VERSION}`);
      expect(status).toBe(401);
      expect(headers['www-authenticate']).toBe(
        `Bearer authorization="${siegel.endpoints.release}/default", resource="https://shop.example"`,
      );
    });

    it('a vault that cannot be reached decides nothing', async () => {
      await tail.next();
      azure.fake.faults.add({ effect: { kind: 'status', status: 500 } });
      const { status, body } = await ask(`/keys/app/release?${VERSION}`, { target: await service.token() });
      azure.fake.faults.clear();
      expect({ status, body }).toMatchObject({
        status: 503,
        body: { error: { code: 'ServiceUnavailable' } },
      });
      expect(await tail.next()).toEqual([]);
    });

    it('nothing is released while the audit log does not answer', async () => {
      const target = await service.token();
      const answer = await siegel.frozen('audit', () => ask(`/keys/app/release?${VERSION}`, { target }));
      expect(answer.status).toBe(503);
      expect(answer.text).not.toContain('value');
      await eventually(
        'a release',
        async () => (await ask(`/keys/app/release?${VERSION}`, { target })).status === 200,
      );
    });
  });
});
