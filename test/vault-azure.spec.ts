import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { VaultRegistry, VaultsConfig, type AzureVaultConfig } from '#vault';
import { ClientFiles, DEFAULT_PRINCIPAL, FakeAzure, type FaultEffect } from './fake-azure/index.js';
import { db, failure, KeyVaultReaders, READER, uncached } from './key-vault-readers.js';

const NOBODY = { ...READER, clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0003', permissions: [] };
const UNFEDERATED = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0004',
  permissions: ['*'],
  clientSecret: 'developer-secret',
};

const readers = KeyVaultReaders.forThisFile([NOBODY, UNFEDERATED]);
const saved = { ...process.env };
afterEach(() => {
  process.env = { ...saved };
});

describe('identities', () => {
  it('reads by workload identity, through the challenge, with one token for many reads', async () => {
    const vault = (await readers.open(uncached)).get('prod');
    for (let i = 0; i < 3; i++) expect((await vault.getSecret(db)).value.toString()).toBe('value');
    const actions = readers.fake.log.all().map(({ action, status }) => `${action} ${status}`);
    expect(actions).toEqual([
      'secrets/get 401',
      'metadata 200',
      'token 200',
      ...Array<string>(3).fill('secrets/get 200'),
    ]);
  });

  it('takes workload identity from the environment that AKS injects', async () => {
    Object.assign(process.env, readers.files.environment());
    const settings = {
      ...readers.files.vaultSettings('prod'),
      identity: { kind: 'workload' as const, disableInstanceDiscovery: true },
    };
    const registry = await VaultRegistry.open(VaultsConfig.parse({ prod: settings }), {
      baseDir: readers.dir,
    });
    readers.closing(registry);
    expect((await registry.get('prod').getSecret(db)).value.toString()).toBe('value');
  });

  it('reads by the managed identity of the machine', async () => {
    process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = readers.fake.metadataUrl;
    const { identity: _, ...rest } = readers.files.vaultSettings('prod');
    const config = VaultsConfig.parse({
      prod: { ...rest, identity: { kind: 'managed', clientId: DEFAULT_PRINCIPAL.clientId } },
    });
    const registry = await VaultRegistry.open(config, { baseDir: readers.dir });
    readers.closing(registry);
    expect((await registry.get('prod').getSecret(db)).value.toString()).toBe('value');
    expect(readers.fake.log.of('imds')).toHaveLength(1);
    expect(readers.fake.log.of('token')).toHaveLength(0);
  });

  it("reads with a developer's credentials through DefaultAzureCredential", async () => {
    Object.assign(process.env, {
      AZURE_TENANT_ID: readers.fake.entra.tenantId,
      AZURE_CLIENT_ID: UNFEDERATED.clientId,
      AZURE_CLIENT_SECRET: UNFEDERATED.clientSecret,
      AZURE_TOKEN_CREDENTIALS: 'EnvironmentCredential',
    });
    const { identity: _, ...rest } = readers.files.vaultSettings('prod');
    const identity = {
      kind: 'default' as const,
      authorityHost: readers.fake.authorityHost,
      disableInstanceDiscovery: true,
    };
    const registry = await VaultRegistry.open(VaultsConfig.parse({ prod: { ...rest, identity } }), {
      baseDir: readers.dir,
    });
    readers.closing(registry);
    expect((await registry.get('prod').getSecret(db)).value.toString()).toBe('value');
  });

  it('says at opening which setting of workload identity is missing', async () => {
    delete process.env['AZURE_FEDERATED_TOKEN_FILE'];
    const identity = { kind: 'workload' as const, tenantId: 't', clientId: READER.clientId };
    const error = await failure(readers.open({ identity }));
    expect(error).toMatchObject({ code: 'VAULT_MISCONFIGURED' });
    expect(error.message).toMatch(/vault "prod".*tokenFile.*AZURE_FEDERATED_TOKEN_FILE/);
  });

  it('answers a continuous-access challenge with a new token', async () => {
    const vault = (await readers.open(uncached)).get('prod');
    await vault.getSecret(db);
    readers.fake.faults.add({ effect: { kind: 'cae' } });
    expect((await vault.getSecret(db)).value.toString()).toBe('value');
    expect(readers.fake.log.of('token')).toHaveLength(2);
  });
});

describe('failures are distinct and actionable', () => {
  const identityCases: [string, Partial<AzureVaultConfig['identity']>, string, RegExp][] = [
    ['missing role', { clientId: NOBODY.clientId }, 'VAULT_FORBIDDEN', /not authorized.*secrets\/get/s],
    ['unknown tenant', { tenantId: 'ffffffff-0000-0000-0000-000000000000' }, 'VAULT_WRONG_TENANT', /tenant/i],
    [
      'unknown application',
      { clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6effff' },
      'VAULT_IDENTITY_REFUSED',
      /AADSTS700016/,
    ],
    [
      'service account not federated',
      { clientId: UNFEDERATED.clientId },
      'VAULT_IDENTITY_REFUSED',
      /AADSTS700213/,
    ],
    [
      'projected token not there',
      { tokenFile: '/nonexistent/token' },
      'VAULT_IDENTITY_UNAVAILABLE',
      /nonexistent/,
    ],
  ];
  it.each(identityCases)('identity: %s', async (_, identity, code, message) => {
    const vault = (await readers.open(uncached, identity)).get('prod');
    const error = await failure(vault.getSecret(db));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(await vault.check()).toMatchObject({ ok: false, code, remedy: error.remedy });
  });

  const faultCases: [string, FaultEffect, string][] = [
    ['firewall', { kind: 'firewall' }, 'VAULT_FIREWALL'],
    [
      'public network disabled',
      { kind: 'status', status: 403, innerCode: 'ForbiddenByConnection' },
      'VAULT_FIREWALL',
    ],
    ['role', { kind: 'rbac' }, 'VAULT_FORBIDDEN'],
    ['access policy', { kind: 'status', status: 403, innerCode: 'ForbiddenByPolicy' }, 'VAULT_FORBIDDEN'],
    ['an unknown inner code', { kind: 'status', status: 403, innerCode: 'SomethingNew' }, 'VAULT_FORBIDDEN'],
    ['throttling without Retry-After', { kind: 'throttle' }, 'VAULT_THROTTLED'],
    ['server error', { kind: 'status', status: 500 }, 'VAULT_UNAVAILABLE'],
    ['bad gateway', { kind: 'status', status: 502 }, 'VAULT_UNAVAILABLE'],
    ['bad request', { kind: 'status', status: 400, code: 'BadParameter' }, 'VAULT_REFUSED'],
    ['connection reset', { kind: 'reset' }, 'VAULT_UNREACHABLE'],
    ['half an answer', { kind: 'truncate' }, 'VAULT_UNREACHABLE'],
  ];
  it.each(faultCases)('vault: %s', async (_, effect, code) => {
    const vault = (await readers.open(uncached)).get('prod');
    await vault.getSecret(db);
    readers.fake.faults.add({ effect });
    const error = await failure(vault.getSecret(db));
    expect(error.code).toBe(code);
    expect(error.remedy).not.toBe('');
    if (effect.kind !== 'reset' && effect.kind !== 'truncate') {
      const requestIds = readers.fake.log.all().map(({ requestId }) => requestId);
      expect(requestIds).toContain(error.details.requestId);
    }
  });

  it('does not take the sign-in page of a proxy for a secret', async () => {
    const vault = (await readers.open(uncached)).get('prod');
    readers.fake.faults.add({ effect: { kind: 'garbage' } });
    expect((await failure(vault.getSecret(db))).code).toMatch(/^VAULT_(REFUSED|UNREACHABLE)$/);
  });

  it('a slow vault: no answer in time', async () => {
    const vault = (await readers.open({ ...uncached, timeoutSeconds: 0.3 })).get('prod');
    await vault.getSecret(db);
    readers.fake.faults.add({ effect: { kind: 'delay', ms: 2_000 } });
    const error = await failure(vault.getSecret(db));
    expect(error.code).toBe('VAULT_UNREACHABLE');
    expect(error.message).toContain('no answer in time');
  });

  it('another tenant than the vault trusts', async () => {
    const other = await FakeAzure.start({
      vaults: ['prod'],
      vaultTenantId: '11111111-1111-1111-1111-111111111111',
    });
    try {
      const otherFiles = new ClientFiles(other, join(readers.dir, 'other'));
      const config = VaultsConfig.parse({ prod: { ...otherFiles.vaultSettings('prod'), ...uncached } });
      const registry = await VaultRegistry.open(config, { baseDir: readers.dir });
      readers.closing(registry);
      expect((await failure(registry.get('prod').getSecret(db))).code).toBe('VAULT_WRONG_TENANT');
    } finally {
      await other.close();
    }
  });

  it('a certificate that nobody vouches for', async () => {
    const { caFile: _, ...untrusting } = readers.files.vaultSettings('prod');
    const registry = await VaultRegistry.open(VaultsConfig.parse({ prod: { ...untrusting, ...uncached } }), {
      baseDir: readers.dir,
    });
    readers.closing(registry);
    expect((await failure(registry.get('prod').getSecret(db))).code).toBe('VAULT_TLS_UNTRUSTED');
  });

  it("a challenge for another resource than the vault's own domain: no token is asked for, none is sent", async () => {
    const rogue = await FakeAzure.start({
      vaults: ['prod'],
      challengeResource: 'https://graph.microsoft.com',
    });
    try {
      const config = {
        ...new ClientFiles(rogue, join(readers.dir, 'rogue')).vaultSettings('prod'),
        ...uncached,
      };
      const registry = await VaultRegistry.open(VaultsConfig.parse({ prod: config }), {
        baseDir: readers.dir,
      });
      readers.closing(registry);
      expect((await failure(registry.get('prod').getSecret(db))).code).toBe('VAULT_MISCONFIGURED');
      expect(rogue.log.of('token')).toHaveLength(0);
      expect(rogue.log.all().map(({ clientId }) => clientId)).toEqual([undefined]);
    } finally {
      await rogue.close();
    }
  });

  it('a vault that nobody serves', async () => {
    const vault = (await readers.open({ ...uncached, url: 'https://prod.vault.azure.net:1' })).get('prod');
    expect((await failure(vault.getSecret(db))).code).toBe('VAULT_UNREACHABLE');
  });

  it('names the vaults that there are when one is unknown', async () => {
    const registry = await readers.open();
    expect(() => registry.get('production')).toThrow(/no vault has the name "production"; configured: prod/);
  });
});
