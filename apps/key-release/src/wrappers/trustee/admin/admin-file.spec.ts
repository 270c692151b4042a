import { afterAll, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAdminFile } from './admin-file.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-admin-file-'));
afterAll(() => rmSync(folder, { recursive: true }));
const pair = generateKeyPairSync('ed25519');
const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};
write('jwks.json', { keys: [pair.publicKey.export({ format: 'jwk' })] });
write('private.json', { keys: [pair.privateKey.export({ format: 'jwk' })] });
write('empty.json', { keys: [] });
const role = { tenants: ['default'], methods: ['POST'], resources: ['default/*/*'] };
const good = { issuer: 'https://idp', audience: 'kbs', jwksFile: 'jwks.json', roles: { writer: role } };

describe('the file of administrators', () => {
  it('names issuer, audience, keys and roles', () => {
    expect(readAdminFile(write('good.json', good))).toMatchObject({
      ...{ issuer: 'https://idp', audience: 'kbs', maxLifetimeSeconds: 3_600 },
      roles: { writer: role },
    });
  });

  it.each<readonly [string, unknown, RegExp]>([
    ['no JSON', '{', /is not JSON/],
    ['an unknown member', { ...good, secret: 'x' }, /secret/],
    ['no keys', { ...good, jwksFile: undefined }, /exactly one of/],
    ['keys twice', { ...good, jwksUrl: 'https://idp/jwks' }, /exactly one of/],
    ['keys by plain HTTP', { ...good, jwksFile: undefined, jwksUrl: 'http://idp/jwks' }, /jwksUrl/],
    ['private keys', { ...good, jwksFile: 'private.json' }, /public keys alone/],
    ['an empty key set', { ...good, jwksFile: 'empty.json' }, /public keys alone/],
    ['tokens for ever', { ...good, maxLifetimeSeconds: 1e9 }, /maxLifetimeSeconds/],
    ['a path by half', { ...good, roles: { writer: { ...role, resources: ['default/key'] } } }, /resources/],
    ['a part of a name', { ...good, roles: { writer: { ...role, resources: ['a/b/c*'] } } }, /resources/],
    ['another method', { ...good, roles: { writer: { ...role, methods: ['PUT'] } } }, /methods/],
  ])('%s: is refused with the file and what is wrong', (_what, content, message) => {
    const file = write('bad.json', content);
    expect(() => readAdminFile(file)).toThrow(message);
    expect(() => readAdminFile(file)).toThrow(/\.json/);
  });

  it('that is not there', () => {
    expect(() => readAdminFile(join(folder, 'none.json'))).toThrow(/none\.json: ENOENT/);
  });
});
