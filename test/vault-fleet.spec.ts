import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { VaultsConfig, type SecretSource } from '#vault';
import { SdkClients } from './fake-azure/index.js';
import { db, failure, KeyVaultReaders, READER, uncached } from './key-vault-readers.js';

const readers = KeyVaultReaders.forThisFile();

describe('semantics of reads from Key Vault', () => {
  it('release records can name version and x-ms-request-id of the read, also from the cache', async () => {
    const vault = (await readers.open()).get('prod');
    const [first, second] = [await vault.getSecret(db), await vault.getSecret(db)];
    const logged = readers.fake.log.of('secrets/get');
    expect(logged).toHaveLength(1);
    for (const secret of [first, second]) {
      expect(secret).toMatchObject({
        requestId: logged[0]!.requestId,
        version: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
    }
  });

  it('needs only the permission to get secrets, for the health check too', async () => {
    const vault = (await readers.open({}, { clientId: READER.clientId })).get('prod');
    expect(await vault.check()).toMatchObject({ ok: true });
    expect((await vault.getSecret(db)).value.toString()).toBe('value');
  });

  it('reads a certificate and its key as one version, in one read, while it is renewed again and again', async () => {
    const registry = await readers.open({ reader: { maxAgeSeconds: 0 } });
    const clients = new SdkClients(readers.fake, 'prod', join(readers.dir, 'sdk'));
    const renew = async (): Promise<void> => {
      const policy = {
        issuerName: 'Self',
        subject: 'CN=edge',
        keyType: 'EC' as const,
        keyCurveName: 'P-256',
        contentType: 'application/x-pkcs12' as const,
      };
      const poller = await clients.certificates.beginCreateCertificate('edge', policy, { intervalInMs: 20 });
      await poller.pollUntilDone();
    };
    await renew();
    const source: SecretSource = registry.get('prod');
    const versions = new Set<string>();
    for (let i = 0; i < 4; i++) {
      const renewal = renew();
      for (let j = 0; j < 3; j++) {
        // The reader refuses a pair whose key does not belong to the certificate, so a torn pair would throw.
        const certificate = await source.getCertificate({ objectName: 'edge' });
        expect(certificate.contentType).toBe('application/x-pem-file');
        versions.add(certificate.version);
      }
      await renewal;
    }
    expect(versions.size).toBeGreaterThan(1);
    clients.close();
  });

  it('refuses settings that cannot work', () => {
    const good = readers.files.vaultSettings('prod');
    const problem = (settings: unknown): string => VaultsConfig.safeParse(settings).error?.message ?? 'none';
    expect(problem({ prod: good })).toBe('none');
    expect(problem({ prod: { ...good, url: 'http://prod.vault.azure.net' } })).toContain('https');
    expect(problem({ prod: { ...good, url: 'https://prod.vault.azure.net/secrets' } })).toContain(
      'without path',
    );
    expect(problem({ prod: { ...good, connectAddress: 'localhost' } })).toContain('IP address');
    expect(problem({ prod: { ...good, reader: { readsPer10Seconds: 5_000 } } })).toContain('4000');
    expect(problem({ prod: { ...good, disableChallengeResourceVerification: true } })).toContain(
      'Unrecognized',
    );
    expect(problem({ 'Prod!': good })).toContain('vault name');
  });

  it('says which CA file cannot be read', async () => {
    const error = await failure(readers.open({ caFile: 'no-such.pem' }));
    expect(error).toMatchObject({
      code: 'VAULT_MISCONFIGURED',
      message: expect.stringContaining('no-such.pem'),
    });
    writeFileSync(join(readers.dir, 'empty.pem'), 'nothing');
    expect((await failure(readers.open({ caFile: 'empty.pem' }))).message).toContain('no PEM certificate');
  });
});

describe('a fleet that boots at once', () => {
  it('10,000 enclaves, 5 secrets each, within a second: 5 reads, no error', async () => {
    const vault = (await readers.open()).get('prod');
    for (let i = 0; i < 5; i++) readers.fake.vaults.get('prod')!.secrets.seed(`fleet-${i}`, `value ${i}`);
    const started = performance.now();
    const boots = Array.from({ length: 10_000 }, () =>
      Promise.all(Array.from({ length: 5 }, (_, i) => vault.getSecret({ objectName: `fleet-${i}` }))),
    );
    const released = await Promise.all(boots);
    expect(
      released.every((secrets) => secrets.every(({ value }, i) => value.toString() === `value ${i}`)),
    ).toBe(true);
    expect(readers.fake.log.of('secrets/get')).toHaveLength(5);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('goes on through throttling without Retry-After, and never asks more often than the back-off allows', async () => {
    const registry = await readers.open({ reader: { readTimeoutSeconds: 60, maxAttempts: 6 } });
    const vault = registry.get('prod');
    await vault.getSecret(db);
    readers.fake.faults.add({ effect: { kind: 'throttle' }, action: 'secrets/get', times: 2 });
    readers.fake.log.clear();
    const reads = await Promise.all(
      Array.from({ length: 100 }, () => vault.getSecret({ objectName: 'fleet-0' })),
    );
    expect(reads.every(({ value }) => value.toString() === 'value 0')).toBe(true);
    expect(readers.fake.log.of('secrets/get').map(({ status }) => status)).toEqual([429, 429, 200]);
    expect(registry.stats()['prod']).toMatchObject({ throttled: 2, circuit: 'closed' });
  });

  it('stands in with a value of allowed age while the vault is away, and stops at once when the secret is disabled', async () => {
    const registry = await readers.open({
      reader: { maxAgeSeconds: 0, maxAttempts: 1, denialAgeSeconds: 0, breaker: { failures: 100 } },
    });
    const vault = registry.get('prod');
    await vault.getSecret({ objectName: 'fleet-1' });
    readers.fake.faults.add({ effect: { kind: 'status', status: 503 } });
    const standIn = await vault.getSecret({ objectName: 'fleet-1' }, { maxStaleSeconds: 60 });
    expect(standIn).toMatchObject({ stale: true });
    expect((await failure(vault.getSecret({ objectName: 'fleet-1' }))).code).toBe('VAULT_UNAVAILABLE');
    readers.fake.faults.clear();
    await registry
      .writable('prod')
      .updateSecret({ objectName: 'fleet-1', objectVersion: standIn.version }, { enabled: false });
    expect((await failure(vault.getSecret({ objectName: 'fleet-1' }, { maxStaleSeconds: 60 }))).code).toBe(
      'SECRET_DISABLED',
    );
  });

  it('releases neither early nor late, although the vault would serve both', async () => {
    const registry = await readers.open(uncached);
    const now = Math.floor(Date.now() / 1000) * 1000;
    await registry.writable('prod').setSecret('early', 'v', { notBefore: new Date(now + 60_000) });
    await registry.writable('prod').setSecret('late', 'v', { expiresOn: new Date(now - 60_000) });
    const vault = registry.get('prod');
    expect((await failure(vault.getSecret({ objectName: 'early' }))).code).toBe('SECRET_NOT_YET_VALID');
    expect((await failure(vault.getSecret({ objectName: 'late' }))).code).toBe('SECRET_EXPIRED');
    expect(readers.fake.log.of('secrets/get').map(({ status }) => status)).toEqual([200, 200]);
    expect((await vault.getSecret({ objectName: 'late' }, { allowExpired: true })).value.toString()).toBe(
      'v',
    );
  });
});
