import { SiegelError } from '#contracts';
import { LocalSigner, MeshCa, PublicKey } from '#pki';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import type { Answer, AttestInput, MaaAttestation } from './attestation.service.js';
import { maaFront } from './http-front.js';
import type { MaaSettings } from './maa-environment.js';
import { MaaError } from './maa-error.js';
import { MaaMetrics } from './maa-metrics.js';
import { MaaTenants } from './tenants-file.js';
import { tlsIdentity } from './tls-files.js';
import { TokenKeys } from './token-keys.js';

// RSA keys take their time on a busy machine.
jest.setTimeout(60_000);

let folder: string;
let front: FastifyInstance;
let asked: AttestInput[];
let answer: () => Promise<Answer>;
const errors: string[] = [];
const registry = new Registry();

async function tlsFiles(name: string): Promise<MaaSettings> {
  const ca = await MeshCa.open({ trustDomain: 'test.example' });
  const key = LocalSigner.generate('ES256');
  const spki = PublicKey.fromKeyObject(key.publicKey);
  const leaf = await ca.issueLeaf({ spki, dns: ['a.example'], ttlSeconds: 3_600, now: new Date() });
  writeFileSync(join(folder, `${name}.pem`), leaf.chainPem);
  writeFileSync(join(folder, `${name}-key.pem`), key.toPem());
  return {
    SIEGEL_MAA_TLS_CERT_FILE: join(folder, `${name}.pem`),
    SIEGEL_MAA_TLS_KEY_FILE: join(folder, `${name}-key.pem`),
  } as MaaSettings;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-maa-front-'));
  const file = join(folder, 'tenants.json');
  writeFileSync(file, JSON.stringify({ tenants: { a: { issuer: 'https://a.example' } } }));
  const clock = (): Date => new Date();
  const keys = await TokenKeys.open({
    dir: join(folder, 'keys'),
    issuer: 'https://a.example',
    days: 0,
    clock,
  });
  const attest = (input: AttestInput): Promise<Answer> => {
    asked.push(input);
    return answer();
  };
  front = maaFront({
    tenants: MaaTenants.read(file),
    keys: new Map([['a', keys]]),
    attestation: { attest } as MaaAttestation,
    metrics: new MaaMetrics(registry),
    https: tlsIdentity(await tlsFiles('server')),
    maxInFlight: 2,
    clock,
    onError: (_message, error) => errors.push(String(error)),
  });
});
beforeEach(() => {
  asked = [];
  answer = () => Promise.resolve({ token: 't', event: 'event-1' });
});
afterAll(async () => {
  await front.close();
  rmSync(folder, { recursive: true });
});

const post = (url = '/attest/SgxEnclave', host = 'a.example') =>
  front.inject({ method: 'POST', url, headers: { host }, payload: '{}' });
const codes = ({ statusCode, body }: { statusCode: number; body: string }) => {
  const { error } = JSON.parse(body) as { error: { code: string; innererror: { code: string } } };
  return [statusCode, error.code, error.innererror.code];
};

describe('the front', () => {
  it('hands on kind, version, tenant and body, and answers with the id of the event', async () => {
    const response = await front.inject({
      method: 'POST',
      url: '/ATTEST/openenclave/?API-Version=2020-10-01',
      headers: { host: 'A.example:8446' },
      payload: '{"report":""}',
    });
    expect(response.json()).toEqual({ token: 't' });
    expect(response.headers['x-ms-request-id']).toBe('event-1');
    const [{ kind, apiVersion, tenant, body }] = asked as [AttestInput];
    expect({ kind, apiVersion, tenant: tenant.name, body: Buffer.from(body).toString() }).toEqual({
      kind: 'OpenEnclave',
      apiVersion: '2020-10-01',
      tenant: 'a',
      body: '{"report":""}',
    });
  });

  it('takes no more at once than it may', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    answer = () => gate.then(() => ({ token: 't', event: 'e' }));
    const waiting = [post(), post()];
    await new Promise((resolve) => setImmediate(resolve));
    expect(codes(await post())).toEqual([503, 'ServiceUnavailable', 'OVERLOADED']);
    open();
    expect((await Promise.all(waiting)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    expect((await post()).statusCode).toBe(200);
  });

  it.each([
    [new MaaError(400, 'InvalidQuote', 'no', 'QUOTE_X'), [400, 'InvalidQuote', 'QUOTE_X']],
    [new MaaError(429, 'TooManyRequests', 'no', 'RATE_LIMITED'), [429, 'TooManyRequests', 'RATE_LIMITED']],
    [new SiegelError('AUDIT_UNAVAILABLE'), [503, 'ServiceUnavailable', 'AUDIT_UNAVAILABLE']],
    [new SiegelError('COLLATERAL_UNAVAILABLE'), [503, 'ServiceUnavailable', 'COLLATERAL_UNAVAILABLE']],
    [new SiegelError('EVIDENCE_TOO_LARGE'), [413, 'InvalidParameter', 'EVIDENCE_TOO_LARGE']],
    [new Error('a secret'), [500, 'InternalServerError', 'INTERNAL']],
  ])('words %s as the protocol does', async (thrown, expected) => {
    answer = () => Promise.reject(thrown);
    const response = await post();
    expect(codes(response)).toEqual(expected);
    expect(response.headers['x-ms-error-code']).toBe(expected[1]);
    expect(response.body).not.toContain('a secret');
    if (expected[0] === 503) expect(response.headers['retry-after']).toBe('1');
  });

  it('knows no other host, kind, address or method', async () => {
    expect(codes(await post(undefined, 'b.example'))).toEqual([404, 'NotFound', 'TENANT_UNKNOWN']);
    expect(codes(await post('/attest/Tpm'))).toEqual([400, 'InvalidParameter', 'EVIDENCE_UNSUPPORTED']);
    expect(codes(await post('/attest'))).toEqual([404, 'NotFound', 'NOT_FOUND']);
    expect(codes(await front.inject({ method: 'DELETE', url: '/certs' }))).toEqual([
      404,
      'NotFound',
      'NOT_FOUND',
    ]);
    for (const [method, url] of [
      ['PUT', '/policies/SgxEnclave'],
      ['POST', '/policies/SgxEnclave:reset'],
      ['POST', '/certificates:add'],
      ['POST', '/certificates:remove'],
    ] as const)
      expect(codes(await front.inject({ method, url, payload: 'x' }))).toEqual([
        403,
        'InvalidOperation',
        'READ_ONLY',
      ]);
    expect(asked).toEqual([]);
  });

  it('counts what came of them', async () => {
    expect(await registry.metrics()).toContain(
      'siegel_maa_attestations_total{kind="SgxEnclave",outcome="InvalidQuote"} 1',
    );
  });
});

describe('its certificate', () => {
  it('is refused where key and certificate do not belong together, or cannot be read', async () => {
    const [a, b] = [await tlsFiles('a'), await tlsFiles('b')];
    expect(() => tlsIdentity({ ...a, SIEGEL_MAA_TLS_KEY_FILE: b.SIEGEL_MAA_TLS_KEY_FILE })).toThrow(
      /SIEGEL_MAA_TLS_KEY_FILE: is not the key/,
    );
    expect(() => tlsIdentity({ ...a, SIEGEL_MAA_TLS_CERT_FILE: join(folder, 'absent') })).toThrow(
      /SIEGEL_MAA_TLS_CERT_FILE/,
    );
    expect(() => tlsIdentity({ ...a, SIEGEL_MAA_TLS_CERT_FILE: a.SIEGEL_MAA_TLS_KEY_FILE })).toThrow(
      /is no certificate/,
    );
  });
});
