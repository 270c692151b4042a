import { AttestRequest, AttestResponse } from '#contracts';
import { jsonSchemaOf } from '#platform';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPublicKey, verify } from 'node:crypto';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { certificateFor, manifestOf, measured, RunningSiegel, startSiegel, TENANT } from './harness/index.js';

jest.setTimeout(120_000);

let siegel: RunningSiegel;
beforeAll(async () => {
  siegel = await startSiegel({ manifest: manifestOf({ app: { certificate: certificateFor('app') } }) });
});
afterAll(() => siegel?.stop());

const get = async <T>(path: string): Promise<T> => {
  const answer = await siegel.service.call('GET', path);
  expect(answer.status).toBe(200);
  return answer.body as T;
};

describe('a relying party that knows nothing but the address', () => {
  interface Configuration {
    issuer: string;
    jwks_uri: string;
    id_token_signing_alg_values_supported: string[];
    [member: string]: unknown;
  }

  it('finds issuer and keys by OpenID Connect discovery', async () => {
    const configuration = await get<Configuration>('/.well-known/openid-configuration');
    // OpenID Connect Discovery 1.0 §3: these are required, and the issuer is the address that was asked.
    expect(configuration).toMatchObject({
      issuer: siegel.endpoints.release,
      jwks_uri: `${siegel.endpoints.release}/.well-known/jwks.json`,
      response_types_supported: expect.any(Array),
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });

  it('checks a token with jose, and with node:crypto alone', async () => {
    const { issuer, jwks_uri } = await get<Configuration>('/.well-known/openid-configuration');
    const keys = await get<JSONWebKeySet>(new URL(jwks_uri).pathname);
    for (const key of keys.keys) {
      expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
      expect(Object.keys(key)).not.toContain('d');
    }
    const enclave = siegel.machines.enclave('app');
    const { response } = await enclave.attest(siegel.service);
    const { payload } = await jwtVerify(response.token, createLocalJWKSet(keys), {
      issuer,
      audience: 'siegel',
      algorithms: ['ES256'],
      typ: 'siegel-attestation+jwt',
      maxTokenAge: '15m',
    });
    expect(payload).toMatchObject({
      sub: `${TENANT}/app`,
      cnf: { jkt: enclave.key.thumbprint },
      eat_profile: 'tag:github.com,2023:veraison/ear',
      dbgstat: 'disabled',
      siegel: {
        simulated: true,
        workload: 'app',
        claims: { mrenclave: measured('app'), tcbStatus: 'UpToDate' },
      },
    });
    expect(payload.exp! - payload.iat!).toBeLessThanOrEqual(900);

    const [header, body, signature] = response.token.split('.') as [string, string, string];
    const { kid } = decodeProtectedHeader(response.token);
    const key = createPublicKey({ key: keys.keys.find((each) => each.kid === kid)! as never, format: 'jwk' });
    const input = Buffer.from(`${header}.${body}`);
    const holds = (bytes: Buffer): boolean =>
      verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    expect(holds(input)).toBe(true);
    input[header.length + 9]! ^= 1;
    expect(holds(input)).toBe(false);
  });

  it('does not take the token for another audience or of another issuer', async () => {
    const keys = createLocalJWKSet(await get<JSONWebKeySet>('/.well-known/jwks.json'));
    const { response } = await siegel.machines.enclave('app').attest(siegel.service);
    await expect(jwtVerify(response.token, keys, { audience: 'elsewhere' })).rejects.toThrow(/aud/);
    await expect(jwtVerify(response.token, keys, { issuer: 'https://elsewhere.test' })).rejects.toThrow(
      /iss/,
    );
  });

  it('finds the same keys and the same mesh root after a restart of the service', async () => {
    const before = [
      await get('/.well-known/jwks.json'),
      (await siegel.service.call('GET', '/v1/ca.pem')).text,
    ];
    expect(before[1]).toMatch(/^-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*$/);
    await siegel.kill('key-release');
    await siegel.ready();
    expect([
      await get('/.well-known/jwks.json'),
      (await siegel.service.call('GET', '/v1/ca.pem')).text,
    ]).toEqual(before);
  });
});

describe('the OpenAPI document', () => {
  type Schema = Record<string, unknown>;
  interface Operation {
    operationId: string;
    parameters?: { name: string; in: string }[];
    requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
    responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
  }
  interface Document {
    openapi: string;
    info: { title: string; version: string };
    paths: Record<string, Record<string, Operation>>;
    components?: { schemas?: Record<string, Schema> };
  }
  let document: Document;
  let operations: { path: string; method: string; operation: Operation }[];
  beforeAll(async () => {
    document = await get<Document>('/openapi.json');
    operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
    );
  });

  it('is one of OpenAPI 3.1 with every endpoint', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d$/);
    expect(document.info).toMatchObject({ title: 'Siegel key-release', version: expect.any(String) });
    expect(operations.map(({ path, method }) => `${method} ${path}`)).toEqual(
      expect.arrayContaining([
        'post /v1/attest',
        'post /v1/challenge',
        'get /v1/release',
        'get /v1/tenants/{tenant}/manifest',
        'put /v1/tenants/{tenant}/manifest',
        'get /v1/tenants/{tenant}/manifest/history',
        'put /v1/tenants/{tenant}/vaults/{vault}/secrets/{name}',
        'get /.well-known/jwks.json',
        'get /.well-known/openid-configuration',
      ]),
    );
  });

  it('is well formed: ids are unique, path parameters declared, references resolve', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
      const declared = (operation.parameters ?? [])
        .filter((each) => each.in === 'path')
        .map(({ name }) => name);
      expect([path, declared.sort()]).toEqual([path, named.sort()]);
      expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, target]) => target!,
    );
    for (const target of references) {
      const found = target
        .replace(/^#\//, '')
        .split('/')
        .reduce<unknown>((node, key) => (node as Schema | undefined)?.[key], document);
      expect([target, typeof found]).toEqual([target, 'object']);
    }
  });

  it('describes attest by the schema that the service checks with', () => {
    const { requestBody, responses } = document.paths['/v1/attest']!['post']!;
    expect(requestBody?.required).toBe(true);
    expect(requestBody?.content['application/json']?.schema).toEqual(jsonSchemaOf(AttestRequest, 'input'));
    expect(responses['200']?.content?.['application/json']?.schema).toEqual(jsonSchemaOf(AttestResponse));
  });

  it('lists health and metrics nowhere: they are not for callers', () => {
    expect(Object.keys(document.paths).filter((path) => /^\/(health|metrics)/.test(path))).toEqual([]);
  });
});
