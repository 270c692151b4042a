import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { KeyReleaseEnvironment } from '../../environment.js';
import { challengeResource } from './challenge.js';
import { KeyDirectory } from './key-directory.js';
import { readKeyMaterial } from './key-material.js';
import { readKeysFile } from './keys-file.js';

const ISSUER = 'https://attest.example';
const POLICY = {
  version: '1.0.0',
  anyOf: [{ authority: ISSUER, allOf: [{ claim: 'x-ms-sgx-mrenclave', equals: 'ab'.repeat(32) }] }],
};
const jwks = (kid: string) => ({
  keys: [{ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), kid }],
});
const KEY = { vault: 'prod', objectName: 'key', releasePolicyFile: 'policy.json' };
const TENANT = { authorities: { [ISSUER]: { jwksFile: 'certs.json' } }, keys: { App: KEY } };

let dir: string;
beforeAll(() => Logger.overrideLogger(false));
const write = (name: string, content: unknown): string => {
  const path = join(dir, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'akv-keys-'));
  write('policy.json', POLICY);
  write('certs.json', jwks('k1'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('the keys file', () => {
  it('is read with everything that it names; the linter has its say', () => {
    const { tenants, warnings } = readKeysFile(write('keys.json', { tenants: { default: TENANT } }));
    const tenant = tenants.get('default')!;
    expect(tenant.authorities.issuers).toEqual([ISSUER]);
    // Names of keys are the same in either case, as in Key Vault.
    expect(tenant.keys.get('app')).toMatchObject({ vault: 'prod', format: 'pkcs8', maxStaleSeconds: 0 });
    expect(warnings.map(({ file, problem }) => `${file} ${problem.code}`)).toEqual([
      'policy.json DEBUG_NOT_REFUSED',
    ]);
  });

  const broken: [string, () => unknown, RegExp][] = [
    ['no JSON', () => 'tenants:', /keys\.json is not JSON/],
    ['an unknown member', () => ({ tenants: {}, tenant: {} }), /Unrecognized key/],
    [
      'a name that no key can have',
      () => ({ tenants: { default: { ...TENANT, keys: { a_b: KEY } } } }),
      /keys/,
    ],
    [
      'an authority without https',
      () => ({
        tenants: { default: { ...TENANT, authorities: { 'http://a': { jwksFile: 'certs.json' } } } },
      }),
      /authorities/,
    ],
    [
      'a file that is not there',
      () => ({
        tenants: { default: { ...TENANT, keys: { a: { ...KEY, releasePolicyFile: 'none.json' } } } },
      }),
      /none\.json/,
    ],
    [
      'a policy that is none',
      () => {
        write('policy.json', { version: '1.0.0', anyOf: [] });
        return { tenants: { default: TENANT } };
      },
      /policy\.json:1: LIST_EMPTY/,
    ],
    [
      'a JWKS without a key for signatures',
      () => {
        write('certs.json', { keys: [{ kty: 'oct', kid: 'k', k: 'AAAA' }] });
        return { tenants: { default: TENANT } };
      },
      /certs\.json/,
    ],
  ];
  it.each(broken)('is refused with %s', (_, make, message) => {
    const content = make();
    expect(() => readKeysFile(write('keys.json', content))).toThrow(message);
  });
});

describe('KeyDirectory', () => {
  const environment = (file?: string) => ({ SIEGEL_AKV_KEYS_FILE: file }) as KeyReleaseEnvironment;

  it('takes over changed files, and keeps what it has where they cannot be used', () => {
    jest.useFakeTimers();
    try {
      const directory = new KeyDirectory(environment(write('keys.json', { tenants: { default: TENANT } })));
      const before = directory.tenant('default');
      jest.advanceTimersByTime(31_000);
      expect(directory.tenant('default')).toBe(before);
      write('certs.json', jwks('k2'));
      jest.advanceTimersByTime(31_000);
      const after = directory.tenant('default');
      expect(after).not.toBe(before);
      write('certs.json', 'broken');
      jest.advanceTimersByTime(31_000);
      expect(directory.tenant('default')).toBe(after);
      directory.onModuleDestroy();
    } finally {
      jest.useRealTimers();
    }
  });

  it('a file that cannot be used stops the start; without one there are no keys', () => {
    expect(() => new KeyDirectory(environment(write('keys.json', '{')))).toThrow(/SIEGEL_AKV_KEYS_FILE/);
    expect(new KeyDirectory(environment()).tenant('default')).toBeUndefined();
  });
});

describe('readKeyMaterial', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });

  it('reads PEM, SEC1, DER and JWK alike', () => {
    const forms = [
      [Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' })), 'pkcs8'],
      [Buffer.from(privateKey.export({ format: 'pem', type: 'sec1' })), 'pkcs8'],
      [der, 'pkcs8'],
      [Buffer.from(JSON.stringify(privateKey.export({ format: 'jwk' }))), 'jwk'],
    ] as const;
    for (const [secret, format] of forms) {
      const { kty, bytes, publicMembers } = readKeyMaterial(secret, format);
      expect({ kty, crv: publicMembers['crv'] }).toEqual({ kty: 'EC', crv: 'P-256K' });
      expect(bytes).toEqual(der);
    }
  });

  it.each([
    ['text that is no key', 'pkcs8', 'secret-word'],
    [
      'a public key',
      'pkcs8',
      generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }),
    ],
    [
      'another kind',
      'pkcs8',
      generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }),
    ],
    ['no JSON', 'jwk', 'secret-word'],
    [
      'a public JWK',
      'jwk',
      JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })),
    ],
    ['an empty symmetric key', 'raw', ''],
    ['a symmetric key that is too long', 'raw', 'x'.repeat(65)],
  ] as const)('refuses %s, and does not repeat it', (_, format, secret) => {
    const read = () => readKeyMaterial(Buffer.from(secret), format);
    expect(read).toThrow();
    expect(read).not.toThrow(/secret-word/);
  });
});

it.each([
  ['https://release.shop.example:8443', 'https://shop.example'],
  ['https://a.b.c.example', 'https://b.c.example'],
  ['https://shop.example', 'https://shop.example'],
  ['https://localhost:8443', 'https://localhost:8443'],
  ['https://10.0.0.1', 'https://10.0.0.1'],
])('the resource of %s is %s', (url, resource) => {
  expect(challengeResource(url)).toBe(resource);
});
