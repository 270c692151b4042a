import { describe, expect, it } from '@jest/globals';
import { compileManifest, decide, parseManifest, PolicyError } from '../index.js';
import type { AttestedClaims, CompileOptions, DecisionRequest, Manifest } from '../index.js';
import {
  code,
  compile,
  condition,
  E,
  E2,
  one,
  R,
  request,
  S,
  simple,
  T,
  TDX,
  ZERO_48,
} from './decision-fixtures.js';

describe('decide', () => {
  it('grants what the manifest says, with every condition', () => {
    const compiled = compile(
      `payments:
  identity: { mrenclave: [${E}] }
  certificate: { dns: [payments.shop.svc], ips: [10.0.0.1], ttl: 12h }
  argv: [run, "--token=$(TOKEN)"]
  env: { MODE: fast }
  session: { ttl: 5m }
  secrets:
    - { vault: prod, objectName: db-password, objectType: secret, objectAlias: DB_PASSWORD, as: env, maxStale: 10m }
    - { vault: prod, objectName: tls-edge, objectType: cert, as: file, path: /run/secrets/tls.pem, mode: "440", allowExpired: true }
    - { vault: prod, objectName: TOKEN, objectType: secret, objectVersion: '${'0a'.repeat(16)}', as: argv }`,
      { trustDomain: 'mesh.shop', tenant: 'shop' },
    );
    const decision = decide(compiled, request());
    expect(decision).toEqual({
      outcome: 'granted',
      workload: 'payments',
      conditions: [
        { name: 'simulated', expected: false, actual: false, ok: true },
        { name: 'identity.tee', expected: 'sgx', actual: 'sgx', ok: true },
        { name: 'identity.mrenclave', expected: E, actual: E, ok: true },
        { name: 'debug', expected: false, actual: false, ok: true },
        { name: 'tcb.status', expected: ['UpToDate', 'SWHardeningNeeded'], actual: 'UpToDate', ok: true },
        { name: 'binding.convention', expected: 'sha256-spki', actual: 'sha256-spki', ok: true },
      ],
      grants: {
        secrets: [
          {
            vault: 'prod',
            objectName: 'db-password',
            objectType: 'secret',
            objectAlias: 'DB_PASSWORD',
            as: 'env',
            maxStaleSeconds: 600,
          },
          {
            vault: 'prod',
            objectName: 'tls-edge',
            objectType: 'cert',
            objectAlias: 'tls-edge',
            as: 'file',
            path: '/run/secrets/tls.pem',
            mode: '0440',
            allowExpired: true,
          },
          {
            vault: 'prod',
            objectName: 'TOKEN',
            objectType: 'secret',
            objectVersion: '0a'.repeat(16),
            objectAlias: 'TOKEN',
            as: 'argv',
          },
        ],
        certificate: {
          dns: ['payments.shop.svc'],
          ips: ['10.0.0.1'],
          spiffeId: 'spiffe://mesh.shop/shop/payments',
          ttlSeconds: 43_200,
        },
        argv: ['run', '--token=$(TOKEN)'],
        env: { MODE: 'fast' },
        tokenTtlSeconds: 300,
        sessionLifetimeSeconds: 86_400,
        onDegraded: 'event',
      },
    });
    expect(Object.isFrozen(decision.outcome === 'granted' && decision.grants.secrets[0])).toBe(true);
  });

  it('denies by default: an empty manifest, another measurement, another TEE', () => {
    expect(code(decide(compile('{}'), request()))).toBe('MEASUREMENT_NOT_ALLOWED');
    expect(code(decide(compile(simple), request({ mrenclave: E2 })))).toBe('MEASUREMENT_NOT_ALLOWED');
    expect(code(decide(compile(simple), request({ mrenclave: undefined })))).toBe('MEASUREMENT_NOT_ALLOWED');
    expect(code(decide(compile(simple), request({ tee: 'tdx', mrtd: E })))).toBe('MEASUREMENT_NOT_ALLOWED');
    // The hint leads to the workload, but its identity still counts, the TEE included.
    expect(code(decide(compile(simple), request({ tee: 'tdx' }, { workloadHint: 'w' })))).toBe(
      'MEASUREMENT_NOT_ALLOWED',
    );
  });

  it('tells a caller no more than the code', () => {
    const decision = decide(compile(simple), request({ mrenclave: E2 }, { workloadHint: 'w' }));
    expect(decision).toMatchObject({
      outcome: 'denied',
      code: 'MEASUREMENT_NOT_ALLOWED',
      message: 'the measurement is not allowed',
      workload: 'w',
    });
    expect(condition(decision, 'identity.mrenclave')).toEqual({
      name: 'identity.mrenclave',
      expected: E,
      actual: E2,
      ok: false,
    });
  });

  it('finds workloads only by their own names', () => {
    const compiled = compile(simple);
    for (const workloadHint of ['x', '', '__proto__', 'constructor', 'w'.repeat(10_000)]) {
      const decision = decide(compiled, request({}, { workloadHint }));
      expect(code(decision)).toBe('WORKLOAD_UNKNOWN');
      expect(String(condition(decision, 'workload')?.actual).length).toBeLessThanOrEqual(65);
    }
    expect(code(decide(compiled, request({}, { workloadHint: 'w' })))).toBe('granted');
  });

  it('resolves several workloads of one measurement by the hint, by the rest of the identity, or not at all', () => {
    const same = compile(
      `a: { identity: { mrenclave: [${E}] }, certificate: {} }\nb: { identity: { mrenclave: [${E}] }, certificate: {} }`,
    );
    const ambiguous = decide(same, request());
    expect(code(ambiguous)).toBe('WORKLOAD_AMBIGUOUS');
    expect(condition(ambiguous, 'workload')).toMatchObject({ actual: ['a', 'b'], ok: false });
    expect(decide(same, request({}, { workloadHint: 'b' }))).toMatchObject({
      outcome: 'granted',
      workload: 'b',
    });

    const products = compile(
      `a: { identity: { mrsigner: [${S}], isvprodid: 6, isvsvn: 1 }, certificate: {} }\nb: { identity: { mrsigner: [${S}], isvprodid: 7, isvsvn: 1 }, certificate: {} }`,
    );
    expect(decide(products, request())).toMatchObject({ outcome: 'granted', workload: 'b' });
    expect(code(decide(products, request({ isvProdId: 8 })))).toBe('ISV_PROD_ID_NOT_ALLOWED');

    const mixed = compile(
      `a: { identity: { mrsigner: [${S}], isvprodid: 7, isvsvn: 1 }, certificate: {} }\nb: { identity: { mrenclave: [${E}] }, certificate: {} }`,
    );
    expect(code(decide(mixed, request()))).toBe('WORKLOAD_AMBIGUOUS');
    expect(decide(mixed, request({ isvProdId: 1 }))).toMatchObject({ outcome: 'granted', workload: 'b' });
  });

  it('does not count one workload twice for two of its entries', () => {
    const compiled = compile(
      one('debug: false', `[{ mrenclave: [${E}] }, { mrsigner: [${S}], isvprodid: 7, isvsvn: 1 }]`),
    );
    expect(decide(compiled, request())).toMatchObject({ outcome: 'granted', workload: 'w' });
    expect(decide(compiled, request({ mrenclave: E2 }))).toMatchObject({ outcome: 'granted', workload: 'w' });
    expect(code(decide(compiled, request({ mrenclave: E2, isvSvn: 0 })))).toBe('ISV_SVN_TOO_LOW');
  });

  it('refuses an unreadable clock and evidence outside the validity', () => {
    expect(code(decide(compile(simple), request({}, { now: new Date(NaN) })))).toBe('CLOCK_UNREADABLE');
    const compiled = compile(
      one('validity: { notBefore: 2026-11-23T12:00:00Z, notAfter: 2026-11-23T13:00:00Z }'),
    );
    const at = (time: string) => code(decide(compiled, request({}, { now: new Date(time) })));
    expect([
      at('2026-11-23T11:59:59.999Z'),
      at('2026-11-23T12:00:00Z'),
      at('2026-11-23T13:00:00Z'),
      at('2026-11-23T13:00:00.001Z'),
    ]).toEqual(['WORKLOAD_NOT_VALID_NOW', 'granted', 'granted', 'WORKLOAD_NOT_VALID_NOW']);
  });

  it('refuses simulated evidence unless the deployment accepts it', () => {
    expect(code(decide(compile(simple), request({ simulated: true })))).toBe('SIMULATED_EVIDENCE');
    const decision = decide(compile(simple, { acceptSimulated: true }), request({ simulated: true }));
    expect(code(decision)).toBe('granted');
    expect(condition(decision, 'simulated')).toEqual({
      name: 'simulated',
      expected: 'any',
      actual: true,
      ok: true,
    });
  });

  it('accepts debug enclaves only where the manifest says so, and production enclaves there as well', () => {
    const compiled = compile(one('debug: true'));
    expect([code(decide(compiled, request({ debug: true }))), code(decide(compiled, request()))]).toEqual([
      'granted',
      'granted',
    ]);
  });

  it('never accepts Revoked, even from a manifest that no lint has seen', () => {
    const manifest: Manifest = {
      siegel: 'v1',
      workloads: { w: { identity: { mrenclave: [E] }, tcb: { accept: ['Revoked', 'UpToDate'] } } },
    };
    expect(code(decide(compileManifest(manifest), request({ tcbStatus: 'Revoked' })))).toBe(
      'TCB_STATUS_NOT_ACCEPTED',
    );
    const nobody: Manifest = { siegel: 'v1', workloads: { w: { identity: [] } } };
    expect(code(decide(compileManifest(nobody), request({}, { workloadHint: 'w' })))).toBe(
      'MEASUREMENT_NOT_ALLOWED',
    );
  });

  it('demands the binding and the challenge that the manifest names', () => {
    const by = (lines: string, convention: DecisionRequest['binding']['convention'], challenge = false) =>
      code(decide(compile(one(lines)), request({}, { binding: { convention, challenge } })));
    expect(by('debug: false', 'sha512-spki')).toBe('BINDING_NOT_ALLOWED');
    expect(by('binding: { convention: [sha512-spki, sha256-spki] }', 'sha512-spki')).toBe('granted');
    expect(by('binding: { challenge: required }', 'sha256-spki')).toBe('CHALLENGE_REQUIRED');
    expect(by('binding: { challenge: required }', 'sha256-spki', true)).toBe('granted');
    // Nothing is sealed without a bound key, whatever the manifest says.
    const manifest: Manifest = {
      siegel: 'v1',
      workloads: {
        w: { identity: { mrenclave: [E] }, certificate: {}, binding: { convention: 'raw-nonce' } },
      },
    };
    expect(
      code(
        decide(
          compileManifest(manifest),
          request({}, { binding: { convention: 'raw-nonce', challenge: true } }),
        ),
      ),
    ).toBe('BINDING_NOT_ALLOWED');
  });

  it('uses the defaults for sections that a workload does not have, without merging', () => {
    const result = parseManifest(`siegel: v1
defaults: { tcb: { accept: [OutOfDate], minTcbEvaluationDataNumber: 17 }, session: { ttl: 2m } }
workloads:
  a: { identity: { mrenclave: [${E}] }, certificate: {} }
  b: { identity: { mrenclave: [${E2}] }, certificate: {}, tcb: { accept: [SWHardeningNeeded] }, session: { ttl: 3m } }`);
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    const compiled = compileManifest(result.manifest);
    const a = decide(compiled, request({ tcbStatus: 'OutOfDate', tcbEvaluationDataNumber: 17 }));
    expect(a).toMatchObject({ outcome: 'granted', grants: { tokenTtlSeconds: 120 } });
    expect(code(decide(compiled, request()))).toBe('TCB_STATUS_NOT_ACCEPTED');
    const b = decide(compiled, request({ mrenclave: E2, tcbStatus: 'SWHardeningNeeded' }));
    expect(b).toMatchObject({ outcome: 'granted', grants: { tokenTtlSeconds: 180 } });
  });

  it('appraises trust domains by MRTD, RTMRs and bound service TDs', () => {
    const compiled = compile(one('debug: false', `{ mrtd: [${T}], rtmr1: [${R}], rtmr2: [${R}] }`));
    const by = (changes: Partial<AttestedClaims>) =>
      code(decide(compiled, { ...request(), claims: { ...TDX, ...changes } }));
    expect(by({})).toBe('granted');
    expect(by({ rtmrs: [R, ZERO_48, R, ZERO_48] })).toBe('MEASUREMENT_NOT_ALLOWED');
    expect(by({ rtmrs: undefined })).toBe('MEASUREMENT_NOT_ALLOWED');
    expect(by({ mrServiceTd: ZERO_48 })).toBe('granted');
    expect(by({ mrServiceTd: R })).toBe('MEASUREMENT_NOT_ALLOWED');
    expect(by({ tee: 'sgx', mrenclave: E })).toBe('MEASUREMENT_NOT_ALLOWED');
  });

  it('shows long lists of alternatives by their length', () => {
    const many = Array.from({ length: 9 }, (_, i) => i.toString(16).repeat(64)).slice(1);
    const decision = decide(
      compile(one('debug: false', `{ mrenclave: [${[E, ...many].join(', ')}] }`)),
      request(),
    );
    expect(condition(decision, 'identity.mrenclave')).toMatchObject({
      expected: 'one of 9 values',
      actual: E,
      ok: true,
    });
  });
});

describe('compileManifest', () => {
  it('makes SPIFFE IDs only below its own trust domain and tenant', () => {
    const spiffe = (lines: string, options: CompileOptions) =>
      compile(
        `w: { identity: { mrenclave: [${E}] }, certificate: { dns: [w], ${lines} } }`,
        options,
      ).workloads.get('w')?.grants.certificate?.spiffeId;
    expect(spiffe('', { trustDomain: 'mesh' })).toBe('spiffe://mesh/default/w');
    expect(spiffe('spiffe: /ns/a', { trustDomain: 'mesh', tenant: 'shop' })).toBe('spiffe://mesh/shop/ns/a');
    expect(spiffe('spiffe: false', { trustDomain: 'mesh' })).toBeUndefined();
    expect(spiffe('', {})).toBeUndefined();
  });

  it('refuses options that cannot be part of a SPIFFE ID', () => {
    expect(() => compile(simple, { trustDomain: 'Mesh/x' })).toThrow(PolicyError);
    expect(() => compile(simple, { tenant: '../other' })).toThrow(PolicyError);
  });
});
