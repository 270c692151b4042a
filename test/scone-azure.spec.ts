import { scone } from '#policy';
import { VaultRegistry } from '#vault';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createCipheriv, createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import {
  type SecretContext,
  VaultSecrets,
} from '../apps/key-release/src/wrappers/scone/attest/vault-secrets.js';
import {
  hostOfVault,
  SessionAzureSettings,
} from '../apps/key-release/src/wrappers/scone/azure/azure-settings.js';
import { SessionIdentities } from '../apps/key-release/src/wrappers/scone/azure/session-identities.js';
import { makeSecrets } from '../apps/key-release/src/wrappers/scone/secrets/make-secrets.js';
import { ClientFiles, DEFAULT_TENANT, FakeAzure } from './fake-azure/index.js';
import { makeTestAuthority } from './fake-azure/test-authority.js';
import { temporaryFolder } from './harness/index.js';

jest.setTimeout(60_000);

const CLIENT = 'b7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0002';
const SECRET = 'application-secret-of-a-session';
const KEY = 'ab'.repeat(32);

describe('identities of SCONE sessions', () => {
  let fake: FakeAzure;
  let folder: string;
  let registry: VaultRegistry;
  let identities: SessionIdentities;
  let vaults: VaultSecrets;
  let azure: SessionAzureSettings;
  let privateKey: string;
  let thumbprints: Record<'sha1' | 'sha256', string>;

  beforeAll(async () => {
    // Any RSA certificate will do as that of an application.
    const { chainPem, keyPem } = await makeTestAuthority();
    const { raw } = new X509Certificate(chainPem);
    privateKey = keyPem;
    thumbprints = {
      sha1: createHash('sha1').update(raw).digest('hex').toUpperCase().match(/../g)!.join(':'),
      sha256: createHash('sha256').update(raw).digest('hex'),
    };
    const principal = { clientId: CLIENT, clientSecret: SECRET, certificate: chainPem };
    fake = await FakeAzure.start({
      vaults: ['shop', 'other'],
      principals: [{ ...principal, permissions: ['secrets/get'] }],
    });
    fake.vaults.get('shop')!.secrets.seed('db', 'of the vault');
    folder = temporaryFolder();
    registry = await VaultRegistry.open({}, { baseDir: folder });
    azure = SessionAzureSettings.parse({
      authorityHost: fake.authorityHost,
      disableInstanceDiscovery: true,
      caFile: new ClientFiles(fake, folder).caFile,
      timeoutSeconds: 5,
      vaultHosts: { [host('shop')]: { connectAddress: '127.0.0.1', reader: { denialAgeSeconds: 0 } } },
    });
  });
  afterAll(async () => {
    await registry?.close();
    await fake?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    identities?.onApplicationShutdown();
    identities = new SessionIdentities();
    vaults = new VaultSecrets(registry, identities);
  });

  const host = (vault: string): string => new URL(fake.vaultUrl(vault)).host;
  const tokens = (): number => fake.log.all().filter(({ action }) => action === 'token').length;
  const AAD = (more = `application_secret: ${SECRET}`) =>
    `- { name: aad, kind: aad-token, tenant_id: ${DEFAULT_TENANT}, client_id: ${CLIENT}, ${more} }`;
  const DB = (more = '') => `- { name: db, kind: ascii, import_akv: { vault: "${host('shop')}"${more} } }`;

  async function contextOf(lines: string, settings: { azure?: SessionAzureSettings } = { azure }) {
    const read = scone.readSession(`name: a\nversion: 0.3\nsecrets:\n${lines}`);
    if (!read.ok || read.faults.length > 0) throw new Error(JSON.stringify(read.faults));
    const { secrets } = read.session;
    const made = await makeSecrets(secrets, new Map(), new Date());
    const context: SecretContext = {
      tenant: 'default',
      settings: { creators: 'ANY', keyHashes: {}, vaults: {}, federation: [], ...settings },
      secrets,
      grants: [],
      find: (name) => Promise.resolve(made.get(name)),
    };
    return { context, secret: (name: string) => secrets.find((one) => one.name === name)! };
  }
  async function token(lines: string, settings?: { azure?: SessionAzureSettings }) {
    const { context, secret } = await contextOf(lines, settings);
    const made = await vaults.token(secret('aad'), context);
    return { text: made.kind === 'ascii' ? made.text : '', grants: context.grants };
  }
  async function read(lines: string, settings?: { azure?: SessionAzureSettings }) {
    const { context, secret } = await contextOf(lines, settings);
    const db = secret('db');
    const made = await vaults.read(db, db.importAkv!, context);
    return { made, grants: context.grants };
  }
  const refusedFor = (name: string) =>
    expect.objectContaining({
      code: 'SCONE_IDENTITY_REFUSED',
      message: expect.stringContaining(name) as unknown,
    });
  const code = (name: string) =>
    expect.objectContaining({ reason: expect.objectContaining({ code: name }) as unknown });
  const problem = (name: string) => expect.objectContaining({ code: name });

  it('a token is Entra’s own, for vaults, and asked for once', async () => {
    const before = tokens();
    const { text, grants } = await token(AAD());
    expect(fake.entra.authenticated(text)).toMatchObject({
      principal: { clientId: CLIENT },
      claims: { aud: 'https://vault.azure.net', appid: CLIENT },
    });
    expect(grants).toMatchObject([{ alias: 'aad', vault: 'entra', objectName: CLIENT }]);
    expect(JSON.stringify(grants)).not.toContain(SECRET);
    const again = await Promise.all([1, 2, 3].map(() => token(AAD())));
    expect(again.map((one) => one.text)).toEqual([text, text, text]);
    expect(tokens() - before).toBe(1);
  });

  it('is asked for anew when half of a short one is over', async () => {
    fake.entra.setTokenLifetime(2);
    try {
      const first = (await token(AAD())).text;
      await new Promise((resolve) => setTimeout(resolve, 1_700));
      expect((await token(AAD())).text).not.toBe(first);
    } finally {
      fake.entra.setTokenLifetime(3_600);
    }
  });

  it.each(['sha1', 'sha256'] as const)('by a certificate and its %s thumbprint', async (kind) => {
    const value = JSON.stringify(privateKey);
    const by = `private_key: key, certificate_thumbprint: "${thumbprints[kind]}"`;
    const named = `- { name: key, kind: private-key, value: ${value} }\n${AAD(by)}`;
    expect(fake.entra.authenticated((await token(named)).text)?.principal.clientId).toBe(CLIENT);
    const inline = AAD(by.replace(' key,', ` ${value},`));
    expect((await token(inline)).text).not.toBe('');
    const foreign = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
    const other = JSON.stringify(foreign.export({ format: 'pem', type: 'pkcs8' }));
    await expect(token(named.replace(value, other))).rejects.toEqual(refusedFor('VAULT_IDENTITY_REFUSED'));
    const wrong = named
      .replace('kind: private-key', 'kind: private-key, key_type: P-256')
      .replace(`, value: ${value}`, '');
    await expect(token(wrong)).rejects.toEqual(refusedFor('VAULT_MISCONFIGURED'));
  });

  it('is refused by Entra, by settings, or by what the session lacks', async () => {
    const wrong = AAD('application_secret: wrong');
    const before = tokens();
    for (let round = 0; round < 2; round++)
      await expect(token(wrong)).rejects.toEqual(refusedFor('VAULT_IDENTITY_REFUSED'));
    expect(tokens() - before).toBe(1);
    await expect(token(AAD().replace(CLIENT, '00000000-0000-0000-0000-000000000000'))).rejects.toEqual(
      refusedFor('VAULT_IDENTITY_REFUSED'),
    );
    // The SDK does not tell a tenant that Entra does not know from an Entra that does not answer.
    await expect(token(AAD().replace(DEFAULT_TENANT, 'other.example'))).rejects.toEqual(
      problem('VAULT_UNAVAILABLE'),
    );
    await expect(token(AAD().replace(DEFAULT_TENANT, '"a/b"'))).rejects.toEqual(
      refusedFor('VAULT_MISCONFIGURED'),
    );
    await expect(token(AAD().replace(CLIENT, 'nobody'))).rejects.toEqual(refusedFor('VAULT_MISCONFIGURED'));
    await expect(token(AAD(), {})).rejects.toEqual(problem('SCONE_SECRET_NOT_SERVED'));
    await expect(token(AAD('application_secret: $$SCONE::none$$'))).rejects.toEqual(
      problem('SCONE_SECRET_UNKNOWN'),
    );
    const named = `- { name: s, kind: ascii, value: ${SECRET} }\n${AAD('application_secret: $$SCONE::s$$')}`;
    expect((await token(named)).text).not.toBe('');
    for (const text of [wrong, AAD()])
      await token(text).catch((error: Error) => expect(error.message).not.toContain(SECRET));
  });

  it('an authority that does not answer is an outage, never a refusal', async () => {
    const nobody = { ...azure, authorityHost: 'https://localhost:1', timeoutSeconds: 2 };
    await expect(token(AAD(), { azure: nobody })).rejects.toEqual(
      expect.objectContaining({ code: 'VAULT_UNAVAILABLE' }),
    );
  });

  it('nor is waited for longer than the settings say', async () => {
    const silent = createServer();
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
    const sockets: Socket[] = [];
    silent.on('connection', (socket) => void sockets.push(socket.on('error', () => undefined)));
    const { port } = silent.address() as AddressInfo;
    const begun = performance.now();
    try {
      const slow = { ...azure, authorityHost: `https://localhost:${port}`, timeoutSeconds: 0.3 };
      await expect(token(AAD(), { azure: slow })).rejects.toMatchObject({
        code: 'VAULT_UNAVAILABLE',
        reason: { code: 'VAULT_UNREACHABLE', message: expect.stringContaining('no answer in time') },
      });
      expect(performance.now() - begun).toBeLessThan(5_000);
      expect(sockets.length).toBeGreaterThan(0);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  it('read the vaults that the settings name, as themselves', async () => {
    const { made, grants } = await read(`${AAD()}\n${DB()}`);
    expect(made).toEqual({ kind: 'ascii', text: 'of the vault' });
    expect(grants).toMatchObject([{ alias: 'db', vault: host('shop'), objectName: 'db' }]);
    const last = fake.log.all().findLast(({ vault, status }) => vault === 'shop' && status === 200);
    expect(last).toMatchObject({ clientId: CLIENT });
    await expect(read(`${AAD('application_secret: wrong')}\n${DB()}`)).rejects.toEqual(
      refusedFor('VAULT_IDENTITY_REFUSED'),
    );
    await expect(read(`${AAD()}\n${DB(', secret_name: none')}`)).rejects.toEqual(code('SECRET_NOT_FOUND'));
  });

  it('unless the vault does not let them', async () => {
    fake.faults.add({ effect: { kind: 'rbac' }, action: 'secrets/get', times: 1 });
    await expect(read(`${AAD()}\n${DB()}`)).rejects.toEqual(refusedFor('VAULT_FORBIDDEN'));
    expect((await read(`${AAD()}\n${DB()}`)).made.kind).toBe('ascii');
  });

  it('and no others', async () => {
    const elsewhere = `${AAD()}\n${DB()}`.replace(host('shop'), host('other'));
    await expect(read(elsewhere)).rejects.toEqual(problem('SCONE_SECRET_NOT_SERVED'));
    await expect(read(DB())).rejects.toEqual(problem('SCONE_SECRET_NOT_SERVED'));
    await expect(read(`${AAD()}\n${DB()}`, {})).rejects.toEqual(problem('SCONE_SECRET_NOT_SERVED'));
    await expect(read(`${AAD()}\n${DB(', token: db')}`)).rejects.toEqual(problem('SCONE_SECRET_UNKNOWN'));
    const two = `${AAD()}\n${AAD().replace('aad,', 'second,')}`;
    await expect(read(`${two}\n${DB()}`)).rejects.toEqual(problem('SCONE_SECRET_UNKNOWN'));
    expect((await read(`${two}\n${DB(', token: $$SCONE::second$$')}`)).made.kind).toBe('ascii');
  });

  it.each([
    ['Shop.Vault.example', 'shop.vault.example'],
    ['https://shop.vault.example/', 'shop.vault.example'],
    ['https://shop.vault.example:443', 'shop.vault.example'],
    ['https://shop.vault.example:8443', 'shop.vault.example:8443'],
    ['http://shop.vault.example', undefined],
    ['https://shop.vault.example@evil.example', undefined],
    ['https://evil.example/shop.vault.example', undefined],
    ['shop.vault.example?x', undefined],
    ['shop vault', undefined],
  ])('the host of %s is %s', (written, expected) => expect(hostOfVault(written)).toBe(expected));

  it('open what is encrypted with a key of the session', async () => {
    const iv = Buffer.alloc(12, 1);
    const cipher = createCipheriv('aes-256-gcm', Buffer.from(KEY, 'hex'), iv);
    const ciphertext = Buffer.concat([cipher.update('hidden'), cipher.final()]);
    const header = Buffer.from('00a100020006', 'hex');
    const envelope = Buffer.concat([header, iv, ciphertext, cipher.getAuthTag()]).toString('base64');
    fake.vaults.get('shop')!.secrets.seed('sealed', envelope);
    const lines = (key: string, more = 'kind: binary') =>
      `${AAD()}\n- { name: key, ${more}, value: "${key}" }\n${DB(', secret_name: sealed, decryption_key: $$SCONE::key$$')}`;
    expect((await read(lines(KEY))).made).toEqual({ kind: 'ascii', text: 'hidden' });
    await expect(read(lines('cd'.repeat(32)))).rejects.toEqual(problem('SCONE_ENVELOPE_INVALID'));
    await expect(read(lines('abcd'))).rejects.toEqual(problem('SCONE_SECRET_INVALID'));
    await expect(read(lines(KEY, 'kind: ascii'))).rejects.toEqual(problem('SCONE_SECRET_UNKNOWN'));
  });
});
