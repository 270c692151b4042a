import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { authorityOf, AZURE_CLOUDS, cloudOf, VaultError, VaultRegistry, VaultsConfig } from '#vault';
import { ClientFiles, FakeAzure } from './fake-azure/index.js';

const DOMAINS = [
  ['public', 'vault.azure.net'],
  ['usgovernment', 'vault.usgovcloudapi.net'],
  ['china', 'vault.azure.cn'],
] as const;

let dir: string;
const saved = { ...process.env };
const ends: (() => Promise<void>)[] = [];

beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'vault-clouds-'))));
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(dir, { recursive: true });
  process.env = { ...saved };
});

const failureOf = async (promise: Promise<unknown>): Promise<VaultError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VaultError);
  return error as VaultError;
};
const openVault = async (config: unknown) => {
  const registry = await VaultRegistry.open(VaultsConfig.parse({ prod: config }), { baseDir: dir });
  ends.unshift(() => registry.close());
  return registry.get('prod');
};
const startFake = async (options: { domain?: string } = {}) => {
  const fake = await FakeAzure.start({ vaults: ['prod'], ...options });
  ends.push(() => fake.close());
  fake.vaults.get('prod')!.secrets.seed('db', 'value');
  return fake;
};
const ONE_TRY = { maxAttempts: 1, maxAgeSeconds: 0, denialAgeSeconds: 0 };

describe.each(DOMAINS)('the %s cloud', (cloud, domain) => {
  it('reads a vault of its domain, with the challenge for its resource', async () => {
    const fake = await startFake({ domain });
    const vault = await openVault(new ClientFiles(fake, dir).vaultSettings('prod'));
    expect((await vault.getSecret({ objectName: 'db' })).value.toString()).toBe('value');
    expect(fake.log.of('token')).toHaveLength(1);
  });

  it('asks the authority of that cloud, unless the environment or the configuration names another', () => {
    const url = `https://shop.${domain}`;
    expect(cloudOf(url)).toBe(cloud);
    expect(authorityOf({ url, identity: {} }, {})).toBe(AZURE_CLOUDS[cloud].authorityHost);
    const environment = { AZURE_AUTHORITY_HOST: 'https://login.aks.example/' };
    expect(authorityOf({ url, identity: {} }, environment)).toBe('https://login.aks.example/');
    const identity = { authorityHost: 'https://login.own.example' };
    expect(authorityOf({ url, identity }, environment)).toBe('https://login.own.example');
  });
});

it('a private cloud has its authority and its CA from the configuration, also relative to the file of the vaults', async () => {
  const fake = await startFake();
  const { caFile: _file, ...settings } = new ClientFiles(fake, dir).vaultSettings('prod');
  writeFileSync(join(dir, 'private-ca.pem'), fake.tls.caPem);
  const vault = await openVault({ ...settings, cloud: 'china', caFile: 'private-ca.pem' });
  expect(await vault.check()).toMatchObject({ ok: true });
});

it('the environment of AKS names the authority where the configuration does not', async () => {
  const fake = await startFake();
  const { identity, ...settings } = new ClientFiles(fake, dir).vaultSettings('prod');
  const { authorityHost, ...rest } = identity!;
  process.env['AZURE_AUTHORITY_HOST'] = authorityHost;
  const vault = await openVault({ ...settings, identity: rest });
  expect(await vault.check()).toMatchObject({ ok: true });
});

it('a host of no known cloud has the authority that its settings say', () => {
  const url = 'https://vault.corp.example';
  expect(authorityOf({ url, identity: {} }, {})).toBeUndefined();
  expect(authorityOf({ url, cloud: 'china', identity: {} }, {})).toBe(AZURE_CLOUDS.china.authorityHost);
});

describe('identities that have no token', () => {
  it('an authority that nobody serves is named in the message', async () => {
    const fake = await startFake();
    const authorityHost = 'https://localhost:1';
    const settings = new ClientFiles(fake, dir).vaultSettings('prod', { authorityHost });
    const error = await failureOf(
      (await openVault({ ...settings, reader: ONE_TRY })).getSecret({ objectName: 'db' }),
    );
    expect(error.code).toBe('VAULT_IDENTITY_UNAVAILABLE');
    expect(error.message).toContain(`the authority ${authorityHost} was not reached`);
  });

  it('a managed identity that the machine does not have', async () => {
    const fake = await startFake();
    process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = fake.metadataUrl;
    const { identity: _, ...settings } = new ClientFiles(fake, dir).vaultSettings('prod');
    const clientId = 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e9999';
    const vault = await openVault({ ...settings, reader: ONE_TRY, identity: { kind: 'managed', clientId } });
    const error = await failureOf(vault.getSecret({ objectName: 'db' }));
    expect(error.code).toMatch(/^VAULT_IDENTITY_(REFUSED|UNAVAILABLE)$/);
    expect(error.message).toMatch(/identity/i);
  });

  it('a machine without a metadata service', async () => {
    const fake = await startFake();
    process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = 'http://127.0.0.1:1';
    const { identity: _, ...settings } = new ClientFiles(fake, dir).vaultSettings('prod');
    const vault = await openVault({ ...settings, reader: ONE_TRY, identity: { kind: 'managed' } });
    expect((await failureOf(vault.getSecret({ objectName: 'db' }))).code).toBe('VAULT_IDENTITY_UNAVAILABLE');
  });

  it('a developer who has not signed in', async () => {
    const fake = await startFake();
    process.env['AZURE_TOKEN_CREDENTIALS'] = 'EnvironmentCredential';
    for (const name of ['AZURE_CLIENT_ID', 'AZURE_CLIENT_SECRET', 'AZURE_TENANT_ID'])
      delete process.env[name];
    const { identity: _, ...settings } = new ClientFiles(fake, dir).vaultSettings('prod');
    const vault = await openVault({ ...settings, reader: ONE_TRY, identity: { kind: 'default' } });
    expect((await failureOf(vault.getSecret({ objectName: 'db' }))).code).toBe('VAULT_IDENTITY_UNAVAILABLE');
  });

  it('a projected token that has expired, and the next one', async () => {
    const fake = await startFake();
    const files = new ClientFiles(fake, dir);
    const settings = files.vaultSettings('prod', { tokenFile: join(dir, 'token') });
    writeFileSync(
      join(dir, 'token'),
      fake.entra.projectToken('system:serviceaccount:siegel:key-release', { expiresInSeconds: -5 }),
    );
    const expired = await openVault({ ...settings, reader: ONE_TRY });
    const error = await failureOf(expired.getSecret({ objectName: 'db' }));
    expect(error.code).toBe('VAULT_IDENTITY_REFUSED');
    expect(error.message).toContain('AADSTS700024');
    expect(await (await openVault(files.vaultSettings('prod'))).check()).toMatchObject({ ok: true });
  });
});
