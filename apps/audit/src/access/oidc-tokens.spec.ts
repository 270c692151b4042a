import { SiegelError } from '#contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AUDIENCE, DIRECTORY, OidcIssuer } from '../../../../test/identity/oidc-issuer.js';
import { TestCa } from '../../../../test/identity/test-certificates.js';
import type { IssuerSettings } from './access-settings.js';
import { CredentialRefused } from './credential-refused.js';
import { OidcTokens } from './oidc-tokens.js';

const COOLDOWN_MS = 1_500;
const folder = mkdtempSync(join(tmpdir(), 'siegel-oidc-'));
let ca: TestCa;
let issuer: OidcIssuer;
let settings: IssuerSettings;
const opened: OidcTokens[] = [];

function tokens(changes: Partial<IssuerSettings> = {}): OidcTokens {
  const created = new OidcTokens([{ ...settings, ...changes }], { cooldownMs: COOLDOWN_MS });
  opened.push(created);
  return created;
}
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

beforeAll(async () => {
  ca = await TestCa.create();
  writeFileSync(join(folder, 'ca.pem'), ca.pem);
});
beforeEach(async () => {
  await issuer?.stop();
  issuer = await OidcIssuer.start(ca);
  settings = {
    issuer: issuer.issuer,
    audience: AUDIENCE,
    caFile: join(folder, 'ca.pem'),
    algorithms: ['RS256'],
    rolesClaim: 'roles',
    tenants: 'all',
    maxTokenAgeSeconds: 100_800,
    keysMaxAgeSeconds: 600,
  };
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()));
  await issuer.stop();
  rmSync(folder, { recursive: true });
});

describe('a token of the issuer', () => {
  it('gives subject and roles, with keys that are discovered once', async () => {
    const service = tokens();
    const principal = await service.principal(await issuer.token({ roles: ['auditor', 'unrelated'] }));
    expect(principal.name).toBe('oidc:object-1');
    expect(principal.tenantsFor('entries.read')).toBe('all');
    expect(principal.may('evidence.erase')).toBe(false);
    await service.principal(await issuer.token());
    expect([issuer.metadataRequests, issuer.keyRequests]).toEqual([1, 1]);
  });

  it('counts with configured keys and no discovery', async () => {
    await tokens({ jwksUri: issuer.jwksUri }).principal(await issuer.token());
    expect(issuer.metadataRequests).toBe(0);
  });

  it('counts for one of several audiences', async () => {
    await tokens({ audience: ['other', AUDIENCE] }).principal(
      await issuer.token({ aud: [AUDIENCE, 'more'] }),
    );
  });

  it('grants what its role values are mapped to, on their tenants', async () => {
    const roles = {
      'Shop.Operator': { role: 'operator' as const, tenants: ['shop'] },
      'Siegel.Auditor': { role: 'auditor' as const },
    };
    const service = tokens({ roles, tenants: ['default'] });
    const principal = await service.principal(
      await issuer.token({ roles: ['Shop.Operator', 'Siegel.Auditor', 'admin', '__proto__', 7] }),
    );
    expect(principal.tenantsFor('events.read')).toEqual(['shop', 'default']);
    expect(principal.tenantsFor('entries.read')).toEqual(['default']);
    expect(principal.tenantsFor('evidence.erase')).toEqual([]);
  });

  it.each([
    ['no roles', { roles: undefined }],
    ['a text instead of a list', { roles: 'admin' }],
    ['no list of texts', { roles: [{ role: 'admin' }] }],
    ['other roles', { roles: ['Admin', 'administrator'] }],
  ])('with %s grants nothing', async (_, claims) => {
    const principal = await tokens().principal(await issuer.token(claims));
    expect(principal.may('events.read')).toBe(false);
  });
});

describe('refused is', () => {
  const now = Math.floor(Date.now() / 1_000);
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['an expired token', { exp: now - 120 }, /ERR_JWT_EXPIRED/],
    ['a token for later', { nbf: now + 600 }, /nbf/],
    ['a token without an end', { exp: undefined }, /exp/],
    ['a token without a beginning', { iat: undefined }, /iat/],
    ['a token without a subject', { sub: undefined }, /sub/],
    ['an old token that lives long', { iat: now - 200_000 }, /iat|too old/],
    ['one for another audience', { aud: 'api://other' }, /aud/],
    ['one for no audience', { aud: undefined }, /aud/],
    ['one of another issuer', { iss: 'https://evil.example/v2.0' }, /no configured issuer/],
    ['one that names no issuer', { iss: undefined }, /no configured issuer/],
  ])('%s', async (_, claims, why) => {
    await expect(tokens().principal(await issuer.token(claims))).rejects.toThrow(why);
  });

  it('one of another directory, or brought by another client, where those are named', async () => {
    const service = tokens({ directories: [DIRECTORY], clients: ['client-1'] });
    await service.principal(await issuer.token());
    await expect(service.principal(await issuer.token({ tid: 'other' }))).rejects.toThrow(/directory other/);
    await expect(service.principal(await issuer.token({ tid: undefined }))).rejects.toThrow(/directory/);
    await expect(service.principal(await issuer.token({ azp: 'client-2' }))).rejects.toThrow(
      /client client-2/,
    );
    await service.principal(await issuer.token({ azp: undefined, appid: 'client-1', ver: '1.0' }));
  });

  it('an unsigned token, and one that is signed with the public key as a secret', async () => {
    const service = tokens();
    await expect(service.principal(issuer.unsigned())).rejects.toThrow(CredentialRefused);
    await expect(service.principal(await issuer.confused())).rejects.toThrow(/alg/i);
  });

  it('one by an algorithm that is not configured, though the key could', async () => {
    await expect(tokens({ algorithms: ['PS256', 'ES256'] }).principal(await issuer.token())).rejects.toThrow(
      /alg/i,
    );
  });

  it('one whose key is unknown, or whose header names none', async () => {
    const service = tokens();
    await expect(service.principal(await issuer.token({}, { kid: 'nobody' }))).rejects.toThrow(
      /NO_MATCHING_KEY/,
    );
    await expect(service.principal(await issuer.token({}, { kid: undefined }))).rejects.toThrow(
      /names no key/,
    );
  });

  it('one by the key of another issuer under a kid of this one', async () => {
    const other = await OidcIssuer.start(ca);
    try {
      const service = tokens();
      await service.principal(await issuer.token());
      const { kid } = JSON.parse(
        Buffer.from((await issuer.token()).split('.')[0]!, 'base64url').toString(),
      ) as { kid: string };
      const forged = await other.token({ iss: issuer.issuer }, { kid });
      await expect(service.principal(forged)).rejects.toThrow(/SIGNATURE/);
    } finally {
      await other.stop();
    }
  });

  it.each([
    [
      'a changed payload',
      (token: string) => token.replace(/\.[^.]+\./, `.${Buffer.from('{}').toString('base64url')}.`),
    ],
    ['no token', () => 'x'],
    ['two dots of nothing', () => '..'],
    ['an encrypted token', (token: string) => `${token}.a.b`],
    [
      'a payload that is a list',
      () => `${Buffer.from('{"kid":"a"}').toString('base64url')}.${Buffer.from('[]').toString('base64url')}.`,
    ],
    ['a token beyond every size', (token: string) => token + 'A'.repeat(20_000)],
  ])('%s', async (_, change) => {
    await expect(tokens().principal(change(await issuer.token()))).rejects.toThrow(CredentialRefused);
  });
});

describe('keys', () => {
  it('follow a rotation when a token names a new one, at most once per cool-down', async () => {
    const service = tokens();
    await service.principal(await issuer.token());
    await issuer.rotate();
    const fresh = await issuer.token();
    await expect(service.principal(fresh)).rejects.toThrow(/NO_MATCHING_KEY/);
    expect(issuer.keyRequests).toBe(1);
    await pause(COOLDOWN_MS + 20);
    await service.principal(fresh);
    expect(issuer.keyRequests).toBe(2);
    for (let i = 0; i < 20; i++)
      await expect(service.principal(await issuer.token({}, { kid: `made-up-${i}` }))).rejects.toThrow();
    expect(issuer.keyRequests).toBeLessThanOrEqual(3);
  });

  it('that the issuer withdraws are believed no longer than configured', async () => {
    const service = tokens({ keysMaxAgeSeconds: 1 });
    const old = await issuer.token();
    await service.principal(old);
    await issuer.rotate({ keep: false });
    await pause(1_050);
    await expect(service.principal(old)).rejects.toThrow(/NO_MATCHING_KEY/);
    await service.principal(await issuer.token());
  });

  it.each<[string, (broken: OidcIssuer) => void]>([
    ['the issuer fails', (broken) => (broken.failure = { status: 500 })],
    ['metadata is no JSON', (broken) => (broken.failure = { status: 200, body: 'x' })],
    ['metadata is of another issuer', (broken) => (broken.claimedIssuer = 'https://evil.example')],
    ['an answer is endless', (broken) => (broken.failure = { status: 200, body: ' '.repeat(300_000) })],
  ])('cannot be had where %s, which is an outage and no refusal', async (_, damage) => {
    damage(issuer);
    const service = tokens();
    const refusal = await service.principal(await issuer.token()).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SiegelError);
    expect((refusal as SiegelError).code).toBe('IDENTITY_UNAVAILABLE');
    const asked = issuer.metadataRequests;
    await expect(service.principal(await issuer.token())).rejects.toThrow();
    expect(issuer.metadataRequests).toBe(asked);
    [issuer.failure, issuer.claimedIssuer] = [undefined, undefined];
    await pause(COOLDOWN_MS + 20);
    await service.principal(await issuer.token());
  });

  it('cannot be had from a server that the configured authority did not certify', async () => {
    const stranger = await TestCa.create('CN=Stranger');
    writeFileSync(join(folder, 'stranger.pem'), stranger.pem);
    const service = tokens({ caFile: join(folder, 'stranger.pem') });
    await expect(service.principal(await issuer.token())).rejects.toMatchObject({
      code: 'IDENTITY_UNAVAILABLE',
    });
  });

  it('are used on when the issuer fails later', async () => {
    const service = tokens();
    const token = await issuer.token();
    await service.principal(token);
    issuer.failure = { status: 503 };
    await service.principal(token);
  });
});
