import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { VaultsHealth } from '#contracts';
import { VAULT_ERRORS, type VaultErrorCode } from '#vault';
import { siegel as command } from './cli-command.js';
import { DEFAULT_PRINCIPAL, DEFAULT_TENANT } from './fake-azure/index.js';
import { AzureWorld, UNCACHED } from './azure-deployment.js';
import { eventually, manifestOf, type RunningSiegel, TENANT } from './harness/index.js';

jest.setTimeout(180_000);

const READER = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0002',
  federatedSubject: DEFAULT_PRINCIPAL.federatedSubject!,
  managedIdentity: true,
  permissions: ['secrets/get'],
};
const NOBODY = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0003',
  federatedSubject: DEFAULT_PRINCIPAL.federatedSubject!,
  permissions: [],
};
const DEVELOPER = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0004',
  clientSecret: 'developer-secret',
  permissions: ['secrets/get'],
};
const OTHER_TENANT = 'ffffffff-0000-0000-0000-000000000000';

interface Case {
  readonly code: VaultErrorCode;
  /** What the message must name. */
  readonly names: RegExp;
  /** What a caller is told at run time. */
  readonly answer: 'VAULT_DENIED' | 'VAULT_UNAVAILABLE' | 'VAULT_THROTTLED';
}
/** One vault of the deployment for each trouble. */
const TROUBLES: Readonly<Record<string, Case>> = {
  role: { code: 'VAULT_FORBIDDEN', names: /Caller is not authorized/, answer: 'VAULT_DENIED' },
  firewall: { code: 'VAULT_FIREWALL', names: /Client address/, answer: 'VAULT_DENIED' },
  tenant: { code: 'VAULT_WRONG_TENANT', names: new RegExp(DEFAULT_TENANT), answer: 'VAULT_DENIED' },
  application: { code: 'VAULT_IDENTITY_REFUSED', names: /AADSTS700016/, answer: 'VAULT_DENIED' },
  expired: { code: 'VAULT_IDENTITY_REFUSED', names: /AADSTS700024/, answer: 'VAULT_DENIED' },
  tokenless: { code: 'VAULT_IDENTITY_UNAVAILABLE', names: /no-such-token/, answer: 'VAULT_UNAVAILABLE' },
  throttled: { code: 'VAULT_THROTTLED', names: /too many requests/, answer: 'VAULT_THROTTLED' },
  unreachable: { code: 'VAULT_UNREACHABLE', names: /ECONNREFUSED/, answer: 'VAULT_UNAVAILABLE' },
  untrusted: { code: 'VAULT_TLS_UNTRUSTED', names: /SELF_SIGNED|UNABLE_TO/, answer: 'VAULT_DENIED' },
};
const WORKING = ['workload', 'managed', 'developer'];

let azure: AzureWorld;
let siegel: RunningSiegel;

beforeAll(async () => {
  azure = await AzureWorld.start({
    vaults: ['prod', 'firewall', 'throttled'],
    principals: [DEFAULT_PRINCIPAL, READER, NOBODY, DEVELOPER],
  });
  const { fake, files } = azure;
  fake.vaults.get('prod')!.secrets.seed('db', 'value');
  fake.faults.add({ effect: { kind: 'firewall' }, vault: 'firewall' });
  fake.faults.add({ effect: { kind: 'throttle' }, vault: 'throttled' });
  const expired = join(azure.dir, 'expired-token');
  const token = fake.entra.projectToken(READER.federatedSubject, { expiresInSeconds: -60 });
  writeFileSync(expired, token);

  const reader = { clientId: READER.clientId };
  const settings = (vault: string, identity: object = {}) => ({
    ...files.vaultSettings(vault, { ...reader, ...identity }),
    reader: UNCACHED,
  });
  const { identity: _workload, ...anonymous } = settings('prod');
  const { caFile: _ca, ...untrusting } = settings('prod');
  const authority = { authorityHost: fake.authorityHost, disableInstanceDiscovery: true };
  siegel = await azure.deploy(
    {
      workload: settings('prod'),
      managed: { ...anonymous, identity: { kind: 'managed', ...reader } },
      developer: { ...anonymous, identity: { kind: 'default', ...authority } },
      role: settings('prod', { clientId: NOBODY.clientId }),
      firewall: settings('firewall'),
      tenant: settings('prod', { tenantId: OTHER_TENANT }),
      application: settings('prod', { clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6effff' }),
      expired: settings('prod', { tokenFile: 'expired-token' }),
      tokenless: settings('prod', { tokenFile: 'no-such-token' }),
      throttled: settings('throttled'),
      unreachable: { ...settings('prod'), url: 'https://prod.vault.azure.net:1' },
      untrusted: untrusting,
    },
    [
      ['AZURE_POD_IDENTITY_AUTHORITY_HOST', fake.metadataUrl],
      ['AZURE_TOKEN_CREDENTIALS', 'EnvironmentCredential'],
      ['AZURE_TENANT_ID', fake.entra.tenantId],
      ['AZURE_CLIENT_ID', DEVELOPER.clientId],
      ['AZURE_CLIENT_SECRET', DEVELOPER.clientSecret],
    ].flatMap(([name, value]) => ['--env', `${name}=${value}`]),
  );
  const names = [...WORKING, ...Object.keys(TROUBLES)];
  const secret = { objectName: 'db', objectType: 'secret', objectAlias: 'DB', as: 'env' };
  await siegel.admin.setManifest(
    TENANT,
    manifestOf(Object.fromEntries(names.map((vault) => [vault, { secrets: [{ vault, ...secret }] }]))),
    0,
  );
});
afterAll(async () => {
  await siegel?.stop();
  await azure?.stop();
  if (azure) rmSync(azure.dir, { recursive: true, force: true });
});

describe('identities in a running deployment', () => {
  it.each(WORKING)('%s identity: an enclave gets its secret', async (vault) => {
    const { payload } = await siegel.machines.enclave(vault).attest(siegel.service);
    expect(payload.env).toEqual({ DB: 'value' });
  });

  it.each(Object.entries(TROUBLES))(
    '%s: a typed answer, nothing decided, a line in the log',
    async (vault, trouble) => {
      const { code, answer } = trouble;
      const tail = await siegel.log.tail();
      const { status, body, text } = await siegel.service.post(
        '/v1/attest',
        siegel.machines.enclave(vault).requestBody(),
      );
      expect({ status, code: (body as { code: string }).code }).toEqual({ status: 503, code: answer });
      // The caller learns neither vault nor reason.
      expect(text).not.toMatch(/AADSTS|vault\.azure|prod|Caller/);
      expect((await tail.next()).filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
      const line = await eventually('the line of the log', () =>
        siegel
          .logText()
          .split('\n')
          .find((text) => text.includes(`"vault":"${vault}"`) && text.includes(`"code":"${code}"`)),
      );
      expect(JSON.parse(line)).toMatchObject({ vault, code, remedy: VAULT_ERRORS[code].remedy });
      expect(line).toMatch(trouble.names);
    },
  );
});

describe('the health of the vaults', () => {
  it('is told to the administrator alone', async () => {
    expect((await siegel.service.call('GET', '/v1/vaults/health')).status).toBe(401);
    const { status, body } = await siegel.adminCall('GET', '/v1/vaults/health');
    expect(status).toBe(200);
    const { vaults } = VaultsHealth.parse(body);
    const codes = Object.fromEntries(vaults.map(({ name, ok, code }) => [name, ok ? 'ok' : code]));
    expect(codes).toEqual({
      demo: 'ok',
      ...Object.fromEntries(WORKING.map((name) => [name, 'ok'])),
      ...Object.fromEntries(Object.entries(TROUBLES).map(([name, { code }]) => [name, code])),
    });
    const served = azure.fake.log.all().map(({ requestId }) => requestId);
    for (const name of ['workload', 'role', 'firewall', 'throttled'])
      expect(served).toContain(vaults.find((vault) => vault.name === name)!.requestId);
  });

  it('stands in readiness, which no vault takes away', async () => {
    const { status, body } = await siegel.service.call('GET', '/health/ready');
    const { ok, checks } = body as { ok: boolean; checks: Record<string, { ok: boolean; detail: string }> };
    expect({ status, ok }).toEqual({ status: 200, ok: true });
    expect(checks['vaults']!.detail).toContain('workload: ok');
    expect(checks['vaults']!.detail).toContain('firewall: VAULT_FIREWALL');
    // Readiness is for anyone: no address, no tenant, no application.
    expect(checks['vaults']!.detail).not.toMatch(/https?:|[0-9a-f]{8}-/);
    const { text } = await siegel.service.call('GET', '/metrics');
    expect(text).toContain('siegel_vault_up{vault="workload"} 1');
    expect(text).toContain('siegel_vault_up{vault="tenant"} 0');
  });

  it('doctor prints one line for each vault, with what to do', async () => {
    const env = { SIEGEL_STATE: siegel.state };
    const finished = await command(['doctor', '--json'], { env });
    expect(finished.code).toBe(1);
    const { checks } = finished.json<{
      checks: { name: string; ok: boolean; detail: string; code?: string; remedy?: string }[];
    }>();
    const named = new Map(checks.map((check) => [check.name, check]));
    for (const name of WORKING)
      expect(named.get(`vault ${name}`)).toMatchObject({
        ok: true,
        detail: expect.stringContaining('azure'),
      });
    for (const [name, { code, names }] of Object.entries(TROUBLES)) {
      const check = named.get(`vault ${name}`)!;
      expect(check).toMatchObject({ ok: false, code, remedy: VAULT_ERRORS[code].remedy });
      expect(check.detail).toMatch(names);
    }
    const text = await command(['doctor'], { env });
    const lines = text.out.split('\n').filter((line) => /^[✓✗!] vault /u.test(line));
    expect(lines).toHaveLength(1 + WORKING.length + Object.keys(TROUBLES).length);
    expect(text.out).toContain('Give the identity the role "Key Vault Secrets User" on the vault');
  });

  it('follows a vault that comes back', async () => {
    azure.fake.faults.clear();
    const { body } = await siegel.adminCall('GET', '/v1/vaults/health');
    const { vaults } = VaultsHealth.parse(body);
    expect(vaults.find(({ name }) => name === 'firewall')).toMatchObject({ ok: true });
    await eventually('the line of the log', () => siegel.logText().includes('vault \\"firewall\\" answers'));
  });
});
