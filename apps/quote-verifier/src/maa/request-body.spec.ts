import { describe, expect, it } from '@jest/globals';
import { MAX_BODY_BYTES, readAttestRequest } from './request-body.js';

const read = (body: object | string, kind: 'SgxEnclave' | 'OpenEnclave' = 'SgxEnclave') =>
  readAttestRequest(kind, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const policy = 'version= 1.0; authorizationrules { => permit(); };';
const stored = (value: object): string => `e30.${Buffer.from(JSON.stringify(value)).toString('base64url')}.`;

describe('readAttestRequest', () => {
  it.each(['AQID-_8', 'AQID+/8=', 'AQID+/8'])('reads base64 as %s', (quote) => {
    expect(read({ quote }).evidence).toEqual(Buffer.from([1, 2, 3, 0xfb, 0xff]));
  });

  it.each([
    ['"n"', 'n'],
    ['5', '5'],
    ['18446744073709551615', '18446744073709551615'],
    ['9007199254740993', '9007199254740993'],
    ['null', undefined],
    ['""', undefined],
  ])('reads the nonce %s', (nonce, expected) => {
    expect(read(`{"x":{"nonce":1},"quote":"AQID", "nonce" : ${nonce}}`).nonce).toBe(expected);
  });

  it.each(['1.5', '-1e400', '1e30', 'true', '{}', `"${'n'.repeat(600)}"`])(
    'refuses the nonce %s',
    (nonce) => {
      expect(() => read(`{"quote":"AQID","nonce":${nonce}}`)).toThrow(/nonce|JSON/);
    },
  );

  it('reads held data as what it is called', () => {
    const data = Buffer.from('{"a":1}').toString('base64');
    expect(read({ quote: 'AQID', runtimeData: { data, dataType: 'JSON' } }).runtime).toEqual({
      bytes: Buffer.from('{"a":1}'),
      json: { a: 1 },
    });
    expect(read({ quote: 'AQID', runtimeData: { data } }).runtime).toEqual({ bytes: Buffer.from('{"a":1}') });
    expect(read({ quote: 'AQID', runtimeData: null, initTimeData: { data: '', dataType: '' } })).toEqual({
      evidence: Buffer.from([1, 2, 3]),
    });
  });

  it('reads a draft policy as text, or as policies are stored', () => {
    const AttestationPolicy = Buffer.from(policy).toString('base64url');
    for (const draftPolicyForAttestation of [policy, stored({ AttestationPolicy })])
      expect(read({ quote: 'AQID', draftPolicyForAttestation }).draftPolicy).toBe(policy);
    expect(() => read({ quote: 'AQID', draftPolicyForAttestation: stored({}) })).toThrow(/AttestationPolicy/);
    expect(() => read({ quote: 'AQID', draftPolicyForAttestation: 1 })).toThrow(/draftPolicy/);
  });

  it('takes time in proportion to what it reads, whatever its nesting', () => {
    const deep = '[{"nonce":'.repeat(20_000) + '1' + '}]'.repeat(20_000);
    const started = performance.now();
    expect(read(`{"quote":"AQID","other":${deep}}`).nonce).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(() => read(`{"quote":"${'A'.repeat(MAX_BODY_BYTES)}"}`)).toThrow(/too large/);
  });
});
