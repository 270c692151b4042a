import { describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, createRemoteJWKSet, SignJWT } from 'jose';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import type { AdminSettings } from './admin-file.js';
import { Administrators } from './administrators.js';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'a' };
const settings: AdminSettings = {
  ...{ issuer: 'https://idp', audience: 'kbs', maxLifetimeSeconds: 600 },
  roles: { writer: { tenants: ['shop'], methods: ['POST'], resources: ['default/*/a', 'x/y/z'] } },
  keys: createLocalJWKSet({ keys: [jwk] }),
};
const administrators = new Administrators(settings);
const now = Math.floor(Date.now() / 1_000);
const claims = { iss: 'https://idp', aud: 'kbs', sub: 'alice', role: 'writer', iat: now, exp: now + 600 };
const token = (change: object = {}) =>
  new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: 'ES256', kid: 'a' }).sign(pair.privateKey);
const bearer = async (change?: object) => `Bearer ${await token(change)}`;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('administrators', () => {
  it('are who their token says, and may what its role says', async () => {
    const administrator = await administrators.authenticate(await bearer());
    expect(administrator.actor).toBe('trustee:alice');
    for (const resource of [undefined, 'default/key/a', 'x/y/z'])
      expect(() => administrator.require('shop', 'POST', resource)).not.toThrow();
    for (const [tenant, method, resource] of [
      ['other', 'POST', 'default/key/a'],
      ['shop', 'DELETE', 'default/key/a'],
      ['shop', 'POST', 'default/key/b'],
      ['shop', 'POST', 'x/y/zz'],
      ['shop', 'post', 'x/y/z'],
    ] as const)
      expect(() => administrator.require(tenant, method, resource)).toThrow(
        expect.objectContaining({ status: 403 }),
      );
  });

  it.each<readonly [string, () => Promise<string | undefined> | string | undefined]>([
    ['no header', () => undefined],
    ['another scheme', async () => `Basic ${await token()}`],
    ['no token', () => 'Bearer  '],
    ['a token of many kilobytes', () => `Bearer ${'a'.repeat(9_000)}`],
    ['a lifetime beyond the longest', () => bearer({ exp: now + 601 })],
    ['a token of the future', () => bearer({ nbf: now + 300 })],
    ['no algorithm', () => `Bearer ${part({ alg: 'none' })}.${part(claims)}.`],
    [
      'a MAC with the public key',
      () => {
        const input = `${part({ alg: 'HS256', kid: 'a' })}.${part(claims)}`;
        const secret = pair.publicKey.export({ type: 'spki', format: 'pem' });
        return `Bearer ${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
      },
    ],
    [
      'a key of its own in the header',
      async () => {
        const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        const header = { alg: 'ES256', jwk: own.publicKey.export({ format: 'jwk' }) as never };
        return `Bearer ${await new SignJWT(claims).setProtectedHeader(header).sign(own.privateKey)}`;
      },
    ],
  ])('with %s are nobody', async (_what, header) => {
    await expect(administrators.authenticate(await header())).rejects.toMatchObject({
      status: 401,
      kind: 'AdminAuthAccess',
    });
  });

  it('are unknown while their keys cannot be had, which is no refusal of a token', async () => {
    const keys = createRemoteJWKSet(new URL('https://127.0.0.1:1/jwks'), { timeoutDuration: 500 });
    const remote = new Administrators({ ...settings, keys });
    await expect(remote.authenticate(await bearer())).rejects.toMatchObject({
      status: 503,
      kind: 'AdminAuthInitialization',
    });
  });

  it('are nobody where the file is not configured', async () => {
    await expect(new Administrators(undefined).authenticate(await bearer())).rejects.toMatchObject({
      status: 403,
    });
  });
});
