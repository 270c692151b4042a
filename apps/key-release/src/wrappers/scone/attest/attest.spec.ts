import { describe, expect, it } from '@jest/globals';
import { SconeError } from '../scone-error.js';
import { readAttestRequest } from './attest-request.js';
import { fromBase32, oneTimeStep, passwordAt, sameToken } from './second-factor.js';
import { absolute } from './shared-secrets.js';

describe('one-time passwords', () => {
  const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
  // RFC 6238 appendix B, SHA-1; of eight digits the last six.
  it.each([
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ])('at %i', (seconds, password) => {
    expect(passwordAt(fromBase32(SECRET)!, Math.floor(seconds / 30))).toBe(password);
    const now = new Date(seconds * 1_000);
    const near = (shift: number) => oneTimeStep(SECRET, password, new Date(now.getTime() + shift));
    expect([near(0), near(30_000), near(-29_000)]).toEqual(Array(3).fill(Math.floor(seconds / 30)));
    expect(near(90_000)).toBeUndefined();
    if (seconds > 90) expect(near(-90_000)).toBeUndefined();
  });

  it.each(['', '28708', '2870820', 'abcdef'])('takes no "%s"', (given) => {
    expect(oneTimeStep(SECRET, given, new Date(59_000))).toBeUndefined();
  });

  it('takes no secret of less than 128 bits', () => {
    expect(oneTimeStep('GEZDGNBV', '287082', new Date(59_000))).toBeUndefined();
    expect(fromBase32('0189')).toBeUndefined();
  });

  it('access tokens are compared whole', () => {
    expect([sameToken('a', 'a'), sameToken('a', ''), sameToken('a', 'ab')]).toEqual([true, false, false]);
  });
});

describe('requests', () => {
  it.each([
    '',
    '[]',
    '{}',
    '{"session":"a"}',
    '{"session":"a","service":"b","evidence":"+"}',
    '{"session":"a","service":"b","binding":"raw-nonce"}',
  ])('%s is refused', (text) => {
    expect(() => readAttestRequest(Buffer.from(text))).toThrow(SconeError);
  });

  it.each([
    ['a', 'b', 'b'],
    ['a', '/b/c', 'b/c'],
    ['x/a', './b', 'x/b'],
    ['x/a', '../b', 'b'],
    ['x/y/a', '../../b', 'b'],
    ['a', '../../b', 'b'],
  ])('seen from %s, %s is %s', (from, path, expected) => {
    expect(absolute(from, path)).toBe(expected);
  });
});
