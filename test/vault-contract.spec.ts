import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  SYSTEM_CLOCK,
  VaultRegistry,
  VaultsConfig,
  isVaultError,
  writePkcs12,
  type Clock,
  type WritableSecretSource,
} from '#vault';
import { ClientFiles, FakeAzure } from './fake-azure/index.js';
import { makeTestAuthority } from './fake-azure/test-authority.js';

/** Time that the tests move; it drives our own checks, and the fake's clock where there is one. */
class MovedClock implements Clock {
  offset = 0;
  now = (): number => Date.now() + this.offset;
  monotonic = SYSTEM_CLOCK.monotonic;
  sleep = SYSTEM_CLOCK.sleep;
  every = SYSTEM_CLOCK.every;
}

interface Fixture {
  readonly vault: WritableSecretSource;
  readonly clock: MovedClock;
  end(): Promise<void>;
}

const embedded = async (): Promise<Fixture> => {
  const dir = mkdtempSync(join(tmpdir(), 'vault-contract-'));
  const clock = new MovedClock();
  const config = VaultsConfig.parse({ main: { kind: 'embedded', dir: 'vault' } });
  const registry = await VaultRegistry.open(config, { baseDir: dir, clock });
  const end = async (): Promise<void> => {
    await registry.close();
    rmSync(dir, { recursive: true });
  };
  return { vault: registry.writable('main'), clock, end };
};

const azure = async (): Promise<Fixture> => {
  const dir = mkdtempSync(join(tmpdir(), 'vault-contract-'));
  const fake = await FakeAzure.start({ vaults: ['contract'] });
  const clock = new MovedClock();
  const config = VaultsConfig.parse({ main: new ClientFiles(fake, dir).vaultSettings('contract') });
  const registry = await VaultRegistry.open(config, { baseDir: dir, clock });
  const end = async (): Promise<void> => {
    await registry.close();
    await fake.close();
    rmSync(dir, { recursive: true });
  };
  return { vault: registry.writable('main'), clock, end };
};

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (isVaultError(error) ? error.code : String(error)),
  );
const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};
const inHours = (clock: MovedClock, hours: number): Date =>
  new Date(Math.floor(clock.now() / 1000) * 1000 + hours * 3_600_000);

describe.each([
  ['embedded vault', embedded],
  ['Azure Key Vault', azure],
])('contract of a writable secret source: %s', (_, start) => {
  let fixture: Fixture;
  let vault: WritableSecretSource;
  beforeAll(async () => {
    fixture = await start();
    vault = fixture.vault;
  });
  afterAll(() => fixture.end());

  it('returns what was set, with its version and attributes', async () => {
    const notBefore = inHours(fixture.clock, -1);
    const expiresOn = inHours(fixture.clock, 1);
    const set = await vault.setSecret('plain', 'zwölf Boxkämpfer', {
      contentType: 'text/plain',
      notBefore,
      expiresOn,
      tags: { a: 'b' },
    });
    expect(set).toMatchObject({
      name: 'plain',
      enabled: true,
      notBefore,
      expiresOn,
      tags: { a: 'b' },
      contentType: 'text/plain',
    });
    const got = await vault.getSecret({ objectName: 'plain' });
    expect(got.value).toEqual(Buffer.from('zwölf Boxkämpfer'));
    expect(got).toMatchObject({
      version: set.version,
      contentType: 'text/plain',
      enabled: true,
      notBefore,
      expiresOn,
    });
    expect(got.version).toMatch(/^[0-9a-f]{32}$/);
    expect(got.updatedOn).toBeInstanceOf(Date);
  });

  it('gives each caller bytes of its own', async () => {
    await vault.setSecret('copy', 'value');
    (await vault.getSecret({ objectName: 'copy' })).value.fill(0);
    expect((await vault.getSecret({ objectName: 'copy' })).value.toString()).toBe('value');
  });

  it('keeps versions: pinned stays, latest moves, names ignore case', async () => {
    const first = await vault.setSecret('rotated', 'one');
    const second = await vault.setSecret('Rotated', 'two');
    expect(
      (await vault.getSecret({ objectName: 'rotated', objectVersion: first.version! })).value.toString(),
    ).toBe('one');
    const latest = await vault.getSecret({ objectName: 'ROTATED' });
    expect([latest.value.toString(), latest.version]).toEqual(['two', second.version]);
    const versions = (await collect(vault.listVersions('rotated'))).map(({ version }) => version);
    expect(versions.sort()).toEqual([first.version, second.version].sort());
    const other = 'f'.repeat(32);
    expect(await codeOf(vault.getSecret({ objectName: 'rotated', objectVersion: other }))).toBe(
      'SECRET_NOT_FOUND',
    );
  });

  it('enforces not-before and expiry, and releases an expired value only where that is asked for', async () => {
    const { clock } = fixture;
    await vault.setSecret('window', 'v', { notBefore: inHours(clock, 1), expiresOn: inHours(clock, 2) });
    const read = (allowExpired = false): Promise<string> =>
      codeOf(vault.getSecret({ objectName: 'window' }, { allowExpired }));
    expect([await read(), await read(true)]).toEqual(['SECRET_NOT_YET_VALID', 'SECRET_NOT_YET_VALID']);
    clock.offset = 1.5 * 3_600_000;
    expect(await read()).toBe('no error');
    clock.offset = 2.5 * 3_600_000;
    expect([await read(), await read(true)]).toEqual(['SECRET_EXPIRED', 'no error']);
    clock.offset = 0;
  });

  it('refuses a disabled version, and only that one', async () => {
    const first = await vault.setSecret('switched', 'one');
    const second = await vault.setSecret('switched', 'two');
    await vault.updateSecret({ objectName: 'switched', objectVersion: second.version! }, { enabled: false });
    expect(await codeOf(vault.getSecret({ objectName: 'switched' }))).toBe('SECRET_DISABLED');
    const pinned = { objectName: 'switched', objectVersion: first.version! };
    expect((await vault.getSecret(pinned)).value.toString()).toBe('one');
    await vault.updateSecret({ objectName: 'switched', objectVersion: second.version! }, { enabled: true });
    expect((await vault.getSecret({ objectName: 'switched' })).value.toString()).toBe('two');
  });

  it('deletes softly, keeps the name taken, recovers and purges', async () => {
    await vault.setSecret('gone', 'v');
    await vault.deleteSecret('gone');
    expect(await codeOf(vault.getSecret({ objectName: 'gone' }))).toBe('SECRET_NOT_FOUND');
    expect(await codeOf(vault.setSecret('gone', 'w'))).toBe('SECRET_DELETED');
    await vault.recoverSecret('gone');
    expect((await vault.getSecret({ objectName: 'gone' })).value.toString()).toBe('v');
    await vault.deleteSecret('gone');
    await vault.purgeSecret('gone');
    expect(await codeOf(vault.recoverSecret('gone'))).toBe('SECRET_NOT_FOUND');
    await vault.setSecret('gone', 'anew');
    expect((await vault.getSecret({ objectName: 'gone' })).value.toString()).toBe('anew');
  });

  it('stores bytes with a binary content type, and refuses bytes that are no text without one', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 13, 0]);
    await vault.setSecret('binary', bytes, { contentType: 'application/octet-stream' });
    expect((await vault.getSecret({ objectName: 'binary' })).value).toEqual(bytes);
    expect(await codeOf(vault.setSecret('binary', bytes))).toBe('SECRET_CONTENT_INVALID');
  });

  it('takes 25,600 bytes and not one more', async () => {
    const largest = 'x'.repeat(25_600);
    await vault.setSecret('large', largest);
    expect((await vault.getSecret({ objectName: 'large' })).value.length).toBe(25_600);
    expect(await codeOf(vault.setSecret('large', `${largest}y`))).toBe('SECRET_TOO_LARGE');
  });

  it.each(['', 'a/b', 'ü', '../x', 'a b', 'x'.repeat(128)])('refuses the name %j', async (objectName) => {
    expect(await codeOf(vault.getSecret({ objectName }))).toBe('SECRET_NAME_INVALID');
    expect(await codeOf(vault.setSecret(objectName, 'v'))).toBe('SECRET_NAME_INVALID');
  });

  it.each(['latest', '', 'A'.repeat(32), '0'.repeat(31)])('refuses the version %j', async (objectVersion) => {
    expect(await codeOf(vault.getSecret({ objectName: 'plain', objectVersion }))).toBe(
      'SECRET_VERSION_INVALID',
    );
  });

  it('reads a certificate and its key from PEM and from PKCS#12', async () => {
    const authority = await makeTestAuthority();
    const key = Buffer.from(authority.keyPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    const pem = await vault.setSecret('cert-pem', authority.keyPem + authority.chainPem, {
      contentType: 'application/x-pem-file',
    });
    await vault.setSecret('cert-pfx', writePkcs12(key, authority.chainDer, ''), {
      contentType: 'application/x-pkcs12',
    });
    const leaf = new X509Certificate(authority.chainPem);
    for (const objectName of ['cert-pem', 'cert-pfx']) {
      const certificate = await vault.getCertificate({ objectName });
      expect(certificate.sha256).toBe(leaf.fingerprint256.replaceAll(':', '').toLowerCase());
      expect(certificate.chainPem.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
      expect(certificate.privateKeyPem.toString()).toContain('BEGIN PRIVATE KEY');
      expect(certificate.notAfter).toEqual(new Date(leaf.validTo));
    }
    expect((await vault.getCertificate({ objectName: 'cert-pem' })).version).toBe(pem.version);
    fixture.clock.offset = 3 * 365 * 86_400_000;
    expect(await codeOf(vault.getCertificate({ objectName: 'cert-pem' }))).toBe('SECRET_EXPIRED');
    fixture.clock.offset = 0;
  });

  it('says why a secret is no certificate', async () => {
    expect(await codeOf(vault.getCertificate({ objectName: 'plain' }))).toBe('SECRET_CONTENT_INVALID');
    expect(await codeOf(vault.getCertificate({ objectName: 'absent' }))).toBe('SECRET_NOT_FOUND');
    const { chainPem } = await makeTestAuthority();
    await vault.setSecret('cert-only', chainPem, { contentType: 'application/x-pem-file' });
    expect(await codeOf(vault.getCertificate({ objectName: 'cert-only' }))).toBe(
      'CERTIFICATE_NOT_EXPORTABLE',
    );
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    await vault.setSecret('cert-torn', chainPem + stranger, { contentType: 'application/x-pem-file' });
    expect(await codeOf(vault.getCertificate({ objectName: 'cert-torn' }))).toBe('SECRET_CONTENT_INVALID');
  });

  it('lists secrets without values, over several pages', async () => {
    for (let i = 0; i < 30; i++) await vault.setSecret(`page-${i}`, 'v');
    await vault.setSecret('page-deleted', 'v');
    await vault.deleteSecret('page-deleted');
    const listed = await collect(vault.listSecrets!());
    const names = listed.map(({ name }) => name).filter((name) => name.startsWith('page-'));
    expect(names).toHaveLength(30);
    expect(JSON.stringify(listed)).not.toContain('"value"');
  });

  it('reports that it is well', async () => {
    expect(await vault.check()).toMatchObject({ ok: true });
  });

  it('refuses properties beyond the limits', async () => {
    const tags = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`t${i}`, 'v']));
    expect(await codeOf(vault.setSecret('limits', 'v', { tags }))).toBe('SECRET_CONTENT_INVALID');
    const now = inHours(fixture.clock, 0);
    expect(await codeOf(vault.setSecret('limits', 'v', { notBefore: now, expiresOn: now }))).toBe(
      'SECRET_CONTENT_INVALID',
    );
  });
});
