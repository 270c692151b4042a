import { SiegelError } from '#contracts';
import { compileManifest, decide, type Grants, parseManifest } from '#policy';
import { describe, expect, it } from '@jest/globals';
import { appConfigId } from '#evidence';
import { CertificateCarrier } from './certificate-carrier.js';

const CONFIG = { app_config: {}, labels: { a: 'b' }, zone_ca: [] };
const ID = appConfigId(CONFIG);
const E = 'ab'.repeat(32);

/** The grants of a workload as the manifest compiles them. */
function grantsOf(members: object): Grants {
  const secrets = [{ vault: 'v', objectName: 's', objectType: 'secret', as: 'env' }];
  const workload = {
    identity: { mrenclave: [E] },
    secrets,
    env: { MODE: 'prod' },
    argv: ['app'],
    ...members,
  };
  const parsed = parseManifest(JSON.stringify({ siegel: 'v1', workloads: { app: workload } }));
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  const compiled = compileManifest(parsed.manifest, {
    trustDomain: 'siegel.local',
    tenant: 'shop',
    acceptSimulated: true,
  });
  const decision = decide(compiled, {
    claims: {
      tee: 'sgx',
      simulated: true,
      debug: false,
      tcbStatus: 'UpToDate',
      advisoryIds: [],
      mrenclave: E,
      fmspc: '00606a000000',
    } as never,
    binding: { convention: 'sha256-spki', challenge: false },
    now: new Date(),
  });
  if (decision.outcome === 'denied') throw new Error(decision.message);
  return decision.grants;
}
const certificate = { dns: ['a.test', 'b.test'], ips: ['10.0.0.1'], ttl: '24h' };
const asked = (change: object = {}) => ({ dns: [], ips: [], uris: [], ...change });
const selected = (members: object, request: object = {}, seconds = 3_600): Grants =>
  new CertificateCarrier(asked(request), seconds).select(grantsOf(members));
const refusal = (members: object, request: object = {}): [string, string | undefined] => {
  try {
    selected(members, request);
  } catch (error) {
    if (error instanceof SiegelError) return [error.code, error.reason?.code];
    throw error;
  }
  return ['granted', undefined];
};

describe('what an em-app boots for', () => {
  it('is a certificate and nothing else, however much the workload may have', () => {
    const grants = selected({ certificate, fortanix: {} });
    expect(grants).toMatchObject({ secrets: [], env: {} });
    expect(grants.argv).toBeUndefined();
  });

  it('has the names that were asked for, or all where none was, for no longer than the deployment allows', () => {
    const spiffeId = 'spiffe://siegel.local/shop/app';
    expect(selected({ certificate, fortanix: {} }).certificate).toEqual({
      dns: ['a.test', 'b.test'],
      ips: ['10.0.0.1'],
      spiffeId,
      ttlSeconds: 3_600,
    });
    const some = { dns: ['b.test'], uris: [spiffeId] };
    expect(selected({ certificate, fortanix: {} }, some).certificate).toEqual({
      dns: ['b.test'],
      spiffeId,
      ttlSeconds: 3_600,
    });
    expect(selected({ certificate, fortanix: {} }, some, 999_999).certificate?.ttlSeconds).toBe(86_400);
  });

  it.each([
    ['another host', { dns: ['a.test', 'c.test'] }],
    ['a host below one that is allowed', { dns: ['x.a.test'] }],
    ['another address', { ips: ['10.0.0.2'] }],
    ['another identity', { uris: ['spiffe://siegel.local/shop/other'] }],
  ])('never has the name of %s', (_what, request) => {
    expect(refusal({ certificate, fortanix: {} }, request)).toEqual(['NAME_NOT_ALLOWED', 'NAME_NOT_ALLOWED']);
  });

  it('is nothing where the manifest opens the workload to another protocol, or gives it no certificate', () => {
    expect(refusal({ certificate })).toEqual(['RELEASE_DENIED', 'FORTANIX_NOT_GRANTED']);
  });

  it('is bound to a configuration that the manifest lists', () => {
    const fortanix = { configs: [{ config: CONFIG }] };
    expect(refusal({ certificate, fortanix }, { configId: ID })[0]).toBe('granted');
    for (const [members, request] of [
      [{ certificate, fortanix }, {}],
      [{ certificate, fortanix }, { configId: Buffer.alloc(32, 1) }],
      [{ certificate, fortanix: {} }, { configId: ID }],
    ] as const)
      expect(refusal(members, request)[0]).toBe('CONFIGURATION_NOT_ALLOWED');
  });
});
