import { describe, expect, it } from '@jest/globals';
import { targetOf } from './request-path.js';

describe('paths of CAS clients', () => {
  const H = 'ab'.repeat(32);
  it.each<[string, ReturnType<typeof targetOf>]>([
    ['/session', { kind: 'set' }],
    ['/v1/sessions', { kind: 'set' }],
    ['/session/a/b', { kind: 'text', session: 'a/b' }],
    ['/v1/sessions/a/b', { kind: 'session', session: 'a/b', hash: undefined }],
    [`/v1/sessions/a%2Fb?hash=${H}`, { kind: 'session', session: 'a/b', hash: H }],
    ['/v1/values/session=a/b', { kind: 'values', session: 'a/b', secret: undefined }],
    ['/v1/values/session=/a/b,secret=s', { kind: 'values', session: 'a/b', secret: 's' }],
    ['/v1/values/session%3Da%2Csecret%3Ds', { kind: 'values', session: 'a', secret: 's' }],
    ['/siegel/v1/attest', { kind: 'attest' }],
    ['/health/live', { kind: 'health' }],
  ])('%s', (url, target) => {
    expect(targetOf(url)).toEqual(target);
  });

  it.each([
    '/',
    '/session/',
    '/v1/sessions/',
    '/v1/version',
    '/v1/attest',
    '/v1/values/a',
    '/v1/values/session=a,secret=s,x=y',
    '/session/%ff',
    `/session/${'a'.repeat(2_048)}`,
  ])('%s is not served', (url) => {
    expect(targetOf(url)).toBeUndefined();
  });
});
