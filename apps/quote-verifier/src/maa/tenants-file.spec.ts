import { maaPolicyHash } from '#policy';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment, ConfigurationError } from '#platform';
import { verifierEnvironment } from '../config/environment.js';
import { MaaTenants } from './tenants-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'siegel-maa-tenants-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const read = (tenants: object): MaaTenants => {
  const file = join(folder, 'tenants.json');
  writeFileSync(file, JSON.stringify({ tenants }));
  return MaaTenants.read(file);
};

describe('the tenants file', () => {
  it('fails closed where it says nothing: no debug enclave, current platforms alone, ten minutes', () => {
    const tenant = read({ a: { issuer: 'https://a.example' } }).at('A.example:443');
    expect(tenant).toMatchObject({
      name: 'a',
      debug: false,
      tokenSeconds: 600,
      tcb: { accept: ['UpToDate', 'SWHardeningNeeded'], refuseAdvisories: [] },
    });
    const policy = tenant!.policies.get('SgxEnclave')!;
    expect(policy.text).toContain('[type=="x-ms-sgx-is-debuggable", value==true] => deny();');
    expect(policy.hash).toBe(maaPolicyHash(policy.text));
  });

  it('finds a tenant by its issuer and its further hosts, and nobody by another', () => {
    const tenants = read({
      a: { issuer: 'https://a.example:8446', hosts: ['A.svc'] },
      b: { issuer: 'https://b.example' },
    });
    expect(['a.example', 'a.svc:1', 'b.example', 'c.example'].map((host) => tenants.at(host)?.name)).toEqual([
      'a',
      'a',
      'b',
      undefined,
    ]);
    expect(tenants.at(undefined)).toBeUndefined();
  });

  it.each([
    [{}, /names no tenant/],
    [{ 'not a tenant': { issuer: 'https://a.example' } }, /tenants/],
    [{ a: { issuer: 'http://a.example' } }, /issuer/],
    [{ a: { issuer: 'https://a.example/' } }, /issuer/],
    [{ a: { issuer: 'https://a.example/path' } }, /issuer/],
    [{ a: { issuer: 'https://a.example', tokenSeconds: 28_800 } }, /tokenSeconds/],
    [{ a: { issuer: 'https://a.example', tcb: { accept: ['Revoked'] } } }, /accept/],
    [{ a: { issuer: 'https://a.example', tcb: { accept: [] } } }, /accept/],
    [{ a: { issuer: 'https://a.example', unknown: 1 } }, /unknown|Unrecognized/],
    [{ a: { issuer: 'https://a.example' }, b: { issuer: 'https://a.example:1' } }, /two tenants/],
    [{ a: { issuer: 'https://a.example', policies: { SgxEnclave: 'none' } } }, /none/],
    [{ a: { issuer: 'https://a.example', policies: { SevSnpVm: 'none' } } }, /policies/],
  ])('refuses %j', (tenants, message) => {
    expect(() => read(tenants)).toThrow(message);
  });

  it('names file, line and column of a policy that is none', () => {
    writeFileSync(join(folder, 'p.txt'), 'version= 1.0;\nauthorizationrules { => allow(); };');
    expect(() => read({ a: { issuer: 'https://a.example', policies: { TdxVm: 'p.txt' } } })).toThrow(
      /p\.txt:2:25: MAA_POLICY_SYNTAX/,
    );
  });
});

it('the API is off without a port, and names what it needs with one', () => {
  const variables = {
    SIEGEL_NATS_SEED_FILE: 'seed',
    SIEGEL_NATS_INBOX_PREFIX: '_INBOX_quote_verifier',
    SIEGEL_TRUST_FILE: 'trust.json',
    SIEGEL_STATE_DIR: 'state',
    SIEGEL_HTTP_PORT: '0',
    SIEGEL_VERDICT_KEY_FILE: 'verdict.pem',
  };
  expect(readEnvironment(verifierEnvironment, variables).SIEGEL_MAA_PORT).toBe(0);
  let thrown: unknown;
  try {
    readEnvironment(verifierEnvironment, { ...variables, SIEGEL_MAA_PORT: '8446' });
  } catch (error) {
    thrown = error;
  }
  expect((thrown as ConfigurationError).problems.map(({ variable }) => variable)).toEqual([
    'SIEGEL_MAA_TENANTS_FILE',
    'SIEGEL_MAA_TLS_CERT_FILE',
    'SIEGEL_MAA_TLS_KEY_FILE',
    'SIEGEL_EMITTER_KEY_FILE',
    'SIEGEL_LOG_ORIGIN',
  ]);
});
