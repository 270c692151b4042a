import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  createVerify,
  randomBytes,
  X509Certificate,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { SignatureAlgorithm } from '@azure/keyvault-keys';
import { FakeAzure, LIMITS_PER_10S, outcomeOf, SdkClients, ServiceLimits } from './fake-azure/index.js';

let dir: string;
let fake: FakeAzure;
let clients: SdkClients;
let second: SdkClients;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'fake-azure-'));
  fake = await FakeAzure.start({ vaults: ['hsm', 'second'] });
  clients = new SdkClients(fake, 'hsm', dir);
  second = new SdkClients(fake, 'second', dir);
});
afterAll(async () => {
  clients.close();
  second.close();
  await fake.close();
  rmSync(dir, { recursive: true });
});
afterEach(() => {
  fake.faults.clear();
  fake.clock.reset();
});

const publicKeyOf = (jwk: object): KeyObject => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
const plainJwk = (
  key: { n?: Uint8Array; e?: Uint8Array; x?: Uint8Array; y?: Uint8Array; crv?: string } | undefined,
  kty: string,
): object => {
  const text = (bytes: Uint8Array | undefined): string | undefined =>
    bytes && Buffer.from(bytes).toString('base64url');
  return kty === 'RSA'
    ? { kty, n: text(key?.n), e: text(key?.e) }
    : { kty, crv: key?.crv === 'P-256K' ? 'secp256k1' : key?.crv, x: text(key?.x), y: text(key?.y) };
};

describe('keys', () => {
  const cases: [SignatureAlgorithm, string, () => Promise<{ name: string }>][] = [
    ['ES256', 'sha256', () => clients.keys.createEcKey('ec256', { curve: 'P-256' })],
    ['ES384', 'sha384', () => clients.keys.createEcKey('ec384', { curve: 'P-384', hsm: true })],
    ['ES512', 'sha512', () => clients.keys.createEcKey('ec521', { curve: 'P-521' })],
    ['ES256K', 'sha256', () => clients.keys.createEcKey('ec256k', { curve: 'P-256K' })],
    ['RS256', 'sha256', () => clients.keys.createRsaKey('rsa', { keySize: 2048 })],
    ['PS384', 'sha384', () => clients.keys.createRsaKey('rsa-pss', { keySize: 2048 })],
  ];
  it.each(cases)('signs digests with %s so that others verify them', async (algorithm, hash, create) => {
    const { name } = await create();
    const key = await clients.keys.getKey(name);
    const message = Buffer.from('message');
    const digest = createHash(hash).update(message).digest();
    const client = clients.cryptography(key.id!);
    const { result } = await client.sign(algorithm, digest);
    const ec = algorithm.startsWith('ES');
    const publicKey = publicKeyOf(plainJwk(key.key, ec ? 'EC' : 'RSA'));
    const verify = createVerify(hash).update(message);
    const options = ec
      ? { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
      : {
          key: publicKey,
          ...(algorithm.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING } : {}),
        };
    expect(verify.verify(options, result)).toBe(true);
    const remote = await fetchVerify(key.id!, algorithm, digest, result);
    const broken = await fetchVerify(key.id!, algorithm, createHash(hash).update('another').digest(), result);
    expect([remote, broken]).toEqual([true, false]);
  });

  /** Verification by the vault: the SDK would do it locally. */
  const fetchVerify = async (
    id: string,
    alg: string,
    digest: Buffer,
    signature: Uint8Array,
  ): Promise<boolean> => {
    const { path } = { path: new URL(id).pathname };
    const body = {
      alg,
      digest: digest.toString('base64url'),
      value: Buffer.from(signature).toString('base64url'),
    };
    return (await callVault('POST', `${path}/verify`, body))['value'] as boolean;
  };

  it('wraps and unwraps, encrypts and decrypts', async () => {
    const rsa = await clients.keys.createRsaKey('wrapping', { keySize: 2048 });
    const client = clients.cryptography(rsa.id!);
    const secret = randomBytes(32);
    const wrapped = await client.wrapKey('RSA-OAEP-256', secret);
    expect(Buffer.from((await client.unwrapKey('RSA-OAEP-256', wrapped.result)).result)).toEqual(secret);
    expect(await outcomeOf(client.unwrapKey('RSA-OAEP', wrapped.result))).toBe('400 BadParameter');
    const oct = await clients.keys.createKey('aes', 'oct-HSM', { keySize: 256 });
    const aes = clients.cryptography(oct.id!);
    const sealed = await aes.encrypt({ algorithm: 'A256GCM', plaintext: secret });
    const opened = await aes.decrypt({
      algorithm: 'A256GCM',
      ciphertext: sealed.result,
      iv: sealed.iv!,
      authenticationTag: sealed.authenticationTag!,
    });
    expect(Buffer.from(opened.result)).toEqual(secret);
    const kw = await aes.wrapKey('A256KW', secret);
    expect(Buffer.from((await aes.unwrapKey('A256KW', kw.result)).result)).toEqual(secret);
  });

  it('keeps versions, disables, rotates, backs up, restores, deletes and recovers', async () => {
    const first = await clients.keys.createEcKey('life', { tags: { purpose: 'test' } });
    const rotated = await clients.keys.rotateKey('life');
    expect(rotated.properties.version).not.toBe(first.properties.version);
    expect(
      (await clients.keys.getKey('life', { version: first.properties.version! })).properties.tags,
    ).toEqual({
      purpose: 'test',
    });
    await clients.keys.updateKeyProperties('life', rotated.properties.version!, { enabled: false });
    const disabled = clients.cryptography(rotated.id!);
    expect(await outcomeOf(disabled.sign('ES256', randomBytes(32)))).toMatch(/^403/);
    const backup = await clients.keys.backupKey('life');
    await (await clients.keys.beginDeleteKey('life', { intervalInMs: 10 })).pollUntilDone();
    expect(await outcomeOf(clients.keys.getKey('life'))).toBe('404 KeyNotFound');
    expect(await outcomeOf(clients.keys.createEcKey('life'))).toMatch(/^409/);
    await (await clients.keys.beginRecoverDeletedKey('life', { intervalInMs: 10 })).pollUntilDone();
    const other = second.keys;
    const restored = await other.restoreKeyBackup(backup!);
    expect(restored.properties.version).toBe(rotated.properties.version);
    expect(await outcomeOf(other.restoreKeyBackup(Buffer.from('nonsense')))).toBe('400 BadParameter');
    const names: string[] = [];
    for await (const { version } of clients.keys.listPropertiesOfKeyVersions('life')) names.push(version!);
    expect(names).toEqual([first.properties.version, rotated.properties.version]);
    expect(await clients.keys.getRandomBytes(16)).toHaveLength(16);
  });

  it('refuses what produces something new outside the window of a key, and still lets old things be read', async () => {
    const rsa = await clients.keys.createRsaKey('expired', {
      keySize: 2048,
      expiresOn: new Date(Date.now() + 60_000),
    });
    const client = clients.cryptography(rsa.id!);
    const { result } = await client.encrypt('RSA-OAEP', randomBytes(16));
    fake.clock.advance(120_000);
    expect(await outcomeOf(client.sign('RS256', randomBytes(32)))).toMatch(/^403/);
    expect((await client.decrypt('RSA-OAEP', result)).result).toHaveLength(16);
  });

  it('refuses operations that key_ops does not name', async () => {
    const key = await clients.keys.createEcKey('verify-only', { keyOps: ['verify'] });
    const client = clients.cryptography(key.id!);
    expect(await outcomeOf(client.sign('ES256', randomBytes(32)))).not.toBe('no error');
  });
});

describe('secrets and certificates', () => {
  it('purges what is overdue, by the clock of the vault', async () => {
    await clients.secrets.setSecret('overdue', 'v');
    await (await clients.secrets.beginDeleteSecret('overdue', { intervalInMs: 10 })).pollUntilDone();
    const deleted = await clients.secrets.getDeletedSecret('overdue');
    expect(deleted.scheduledPurgeDate!.getTime() - deleted.deletedOn!.getTime()).toBe(90 * 86_400_000);
    fake.clock.advance(91 * 86_400_000);
    expect(await outcomeOf(clients.secrets.getDeletedSecret('overdue'))).toBe('404 SecretNotFound');
    expect(await outcomeOf(clients.secrets.setSecret('overdue', 'w'))).toBe('no error');
  });

  it('pages lists, and backs up and restores', async () => {
    for (let i = 0; i < 60; i++) fake.vaults.get('hsm')!.secrets.seed(`listed-${i}`, 'v');
    const pages: number[] = [];
    for await (const page of clients.secrets.listPropertiesOfSecrets().byPage({ maxPageSize: 20 }))
      pages.push(page.length);
    expect(pages.every((length) => length <= 25)).toBe(true);
    expect(pages.reduce((sum, length) => sum + length, 0)).toBeGreaterThanOrEqual(60);
    const backup = await clients.secrets.backupSecret('listed-1');
    const other = second.secrets;
    expect((await other.restoreSecretBackup(backup!)).name).toBe('listed-1');
    expect((await other.getSecret('listed-1')).value).toBe('v');
  });

  it('makes a certificate, its key and its secret of one version, and takes it all away together', async () => {
    const policy = {
      issuerName: 'Self',
      subject: 'CN=site.example',
      subjectAlternativeNames: { dnsNames: ['site.example'] as [string, ...string[]] },
    };
    const poller = await clients.certificates.beginCreateCertificate('site', policy, { intervalInMs: 10 });
    const { properties, cer, keyId, secretId } = await poller.pollUntilDone();
    const version = properties.version!;
    expect([keyId, secretId].every((id) => id!.endsWith(version))).toBe(true);
    const leaf = new X509Certificate(
      `-----BEGIN CERTIFICATE-----\n${Buffer.from(cer!).toString('base64')}\n-----END CERTIFICATE-----`,
    );
    expect(leaf.subjectAltName).toBe('DNS:site.example');
    const pfx = await clients.secrets.getSecret('site', { version });
    expect(pfx.properties.contentType).toBe('application/x-pkcs12');
    const pem = await clients.secrets.getSecret('site', {
      version,
      outContentType: 'application/x-pem-file',
    });
    expect(leaf.checkPrivateKey(createPrivateKey(pem.value!))).toBe(true);
    const again = await clients.certificates.importCertificate(
      'site-copy',
      Buffer.from(pfx.value!, 'base64'),
      {
        policy: { contentType: 'application/x-pkcs12' },
      },
    );
    expect(Buffer.from(again.cer!)).toEqual(Buffer.from(cer!));
    await (await clients.certificates.beginDeleteCertificate('site', { intervalInMs: 10 })).pollUntilDone();
    expect(await outcomeOf(clients.secrets.getSecret('site'))).toBe('404 SecretNotFound');
    await clients.certificates.purgeDeletedCertificate('site');
    expect(await outcomeOf(clients.keys.getDeletedKey('site'))).toBe('404 KeyNotFound');
  });

  it('keeps the key of a certificate that is not exportable', async () => {
    const policy = { issuerName: 'Self', subject: 'CN=kept', exportable: false };
    await (
      await clients.certificates.beginCreateCertificate('kept', policy, { intervalInMs: 10 })
    ).pollUntilDone();
    expect((await clients.secrets.getSecret('kept')).value).not.toContain('PRIVATE KEY');
  });
});

describe('limits and the program', () => {
  it('enforces the limits of a vault in any ten seconds, and counts refused requests', () => {
    const limits = new ServiceLimits();
    const count = (at: number): void => limits.count('v', { bucket: 'secret-vault', weight: 1 }, at);
    for (let i = 0; i < LIMITS_PER_10S['secret-vault']; i++) count(i);
    expect(() => count(4_000)).toThrow(/VaultRequestTypeLimitReached/);
    expect(() => count(9_999)).toThrow();
    expect(() => count(20_000)).not.toThrow();
    for (let i = 0; i < 10; i++) limits.count('v', { bucket: 'hsm-create-release', weight: 1 }, i);
    expect(() => limits.count('v', { bucket: 'hsm-create-release', weight: 1 }, 10)).toThrow();
    expect(() => limits.count('w', { bucket: 'hsm-create-release', weight: 1 }, 10)).not.toThrow();
  });

  it('eleven releases in ten seconds are one too many', async () => {
    const limited = await FakeAzure.start({ vaults: ['hsm'], limits: true });
    try {
      const limitedClients = new SdkClients(limited, 'hsm', join(dir, 'limited'));
      const client = limitedClients.keys;
      const encodedPolicy = Buffer.from(JSON.stringify({ version: '1.0.0', anyOf: [] }));
      await client.createEcKey('k', { hsm: true, exportable: true, releasePolicy: { encodedPolicy } });
      const codes: string[] = [];
      for (let i = 0; i < 10; i++) codes.push(await outcomeOf(client.releaseKey('k', 'nonsense')));
      expect(codes).toEqual([...Array<string>(9).fill('403 Forbidden'), '429 Throttled']);
      limitedClients.close();
    } finally {
      await limited.close();
    }
  });

  it('can be scripted over its control port', async () => {
    const control = async (method: string, path: string, body?: unknown): Promise<unknown> => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      return (await fetch(`${fake.metadataUrl}/control/${path}`, init)).json();
    };
    expect(
      await control('POST', 'faults', { effect: { kind: 'rbac' }, action: 'secrets/get', times: 1 }),
    ).toEqual({ ok: true });
    expect(await outcomeOf(clients.secrets.getSecret('listed-2'))).toBe('403 Forbidden');
    expect(await outcomeOf(clients.secrets.getSecret('listed-2'))).toBe('no error');
    expect(await control('POST', 'faults', { effect: { kind: 'explode' } })).toMatchObject({
      error: expect.stringContaining('kind'),
    });
    await control('POST', 'clock', { advanceSeconds: 3_600 });
    expect(fake.clock.now() - Date.now()).toBeGreaterThan(3_500_000);
    const { requests } = (await control('GET', 'requests')) as { requests: { path: string }[] };
    expect(requests.at(-1)).toMatchObject({ action: 'secrets/get', status: 200 });
  });

  it('the metadata service insists on its header', async () => {
    const url = `${fake.metadataUrl}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net`;
    expect((await fetch(url)).status).toBe(400);
    const answer = (await (await fetch(url, { headers: { metadata: 'true' } })).json()) as {
      access_token: string;
    };
    expect(answer).toMatchObject({ token_type: 'Bearer', resource: 'https://vault.azure.net' });
  });
});

/** A request without the SDK, with a token of its own. */
async function callVault(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const token = await clients.accessToken();
  const url = new URL(fake.vaultUrl('hsm'));
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: url.port,
        servername: url.hostname,
        ca: fake.tls.caPem,
        method,
        path: `${path}?api-version=2025-07-01`,
        headers: { host: url.host, authorization: `Bearer ${token}` },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>),
        );
      },
    );
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}
