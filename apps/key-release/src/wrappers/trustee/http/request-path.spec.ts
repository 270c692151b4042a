import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KbsError } from '../protocol/kbs-error.js';
import { targetOf } from './request-path.js';
import { cookieOf, sessionOf } from './session-cookie.js';

const resource = (path: string) => ({ kind: 'resource', path });

describe('paths of the protocol', () => {
  it.each([
    ['/kbs/v0/auth', { kind: 'auth' }],
    ['/kbs/v0/attest?x=1', { kind: 'attest' }],
    ['/kbs/v0/resource/default/key/test', resource('default/key/test')],
    ['/kbs/v0/resource//default/key/test', resource('default/key/test')],
    ['//kbs///v0/resource/a//b///c.d-e_', resource('a/b/c.d-e_')],
    ['/kbs/v0/resource-policy', { kind: 'policy', which: 'resource-policy' }],
    ['/kbs/v0/reference-value/svn', { kind: 'reference-value' }],
    ['/healthz', { kind: 'health' }],
  ])('%s', (url, target) => {
    expect(targetOf(url)).toEqual(target);
  });

  it.each([
    ['/', 'InvalidRequestPath'],
    ['/kbs/v0/', 'InvalidRequestPath'],
    ['/kbs/v0/auth/x', 'InvalidRequestPath'],
    ['/kbs/v0/resource/a/b', 'InvalidRequestPath'],
    ['/kbs/v0/resource/a/b/c/', 'InvalidRequestPath'],
    ['/kbs/v0/resource/a/../c', 'InvalidRequestPath'],
    ['/kbs/v0/resource/a/.b/c', 'InvalidRequestPath'],
    ['/kbs/v0/resource/a/b/c%00', 'InvalidRequestPath'],
    ['/kbs/v0/pkcs11/key', 'PluginNotFound'],
    [`/kbs/v0/resource/a/b/${'c'.repeat(3_000)}`, 'InvalidRequestPath'],
  ])('%s is 404 %s', (url, kind) => {
    expect(() => targetOf(url)).toThrow(expect.objectContaining({ status: 404, kind }));
  });

  it('are read or refused, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string(),
          fc.string().map((text) => `/kbs/v0/${text}`),
        ),
        (url) => {
          try {
            const target = targetOf(url);
            if (target.kind === 'resource') expect(target.path).toMatch(/^[\w.-]+\/[\w.-]+\/[\w.-]+$/);
          } catch (error) {
            expect(error).toBeInstanceOf(KbsError);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the cookie of a session', () => {
  const id = '0123456789abcdef0123456789abcdef';

  it('is as the real service sets it, and kept from scripts and other sites', () => {
    const expires = new Date('2026-11-23T11:38:24Z');
    expect(cookieOf(id, expires, false)).toBe(
      `kbs-session-id=${id}; Expires=Mon, 23 Nov 2026 11:38:24 GMT; Path=/kbs/v0; HttpOnly; SameSite=Strict`,
    );
    expect(cookieOf(id, expires, true)).toMatch(/; Secure$/);
  });

  it.each([
    [`kbs-session-id=${id}`, id],
    [`a=b; kbs-session-id=${id}; c=d`, id],
    [`xkbs-session-id=${id}`, undefined],
    [`kbs-session-id=${id}0`, undefined],
    [`kbs-session-id="${id}"`, undefined],
    ['kbs-session-id=', undefined],
    [undefined, undefined],
  ])('%s', (header, found) => {
    expect(sessionOf(header)).toBe(found);
  });
});
