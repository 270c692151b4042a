// A Key Vault with one secret over HTTPS, and registries that read it through the real SDK, for the specs of reading.
import { VaultError, VaultRegistry, VaultsConfig, type AzureVaultConfig } from '#vault';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClientFiles, DEFAULT_PRINCIPAL, FakeAzure, type AzureVaultSettings } from './fake-azure/index.js';

type Principal = NonNullable<NonNullable<Parameters<typeof FakeAzure.start>[0]>['principals']>[number];

export const READER = {
  clientId: 'a7c1f1d2-3c1b-4d57-8a53-0d3c5a6e0002',
  federatedSubject: DEFAULT_PRINCIPAL.federatedSubject!,
  permissions: ['secrets/get'],
} satisfies Principal;

/** No cache and no second attempt. */
export const uncached = { reader: { maxAgeSeconds: 0, denialAgeSeconds: 0, maxAttempts: 1 } };
/** The secret that the vault has; its value is `value`. */
export const db = { objectName: 'db' };

/** One vault for all tests of a file; every test closes what it opened and leaves the vault as it was. */
export class KeyVaultReaders {
  dir!: string;
  fake!: FakeAzure;
  files!: ClientFiles;
  private readonly registries: VaultRegistry[] = [];

  static forThisFile(principals: readonly Principal[] = []): KeyVaultReaders {
    const readers = new KeyVaultReaders();
    beforeAll(async () => {
      readers.dir = mkdtempSync(join(tmpdir(), 'vault-azure-'));
      readers.fake = await FakeAzure.start({
        vaults: ['prod'],
        principals: [DEFAULT_PRINCIPAL, READER, ...principals],
      });
      readers.files = new ClientFiles(readers.fake, readers.dir);
      readers.fake.vaults.get('prod')!.secrets.seed('db', 'value');
    });
    afterAll(async () => {
      await readers.fake.close();
      rmSync(readers.dir, { recursive: true });
    });
    afterEach(async () => {
      await Promise.all(readers.registries.splice(0).map((registry) => registry.close()));
      readers.fake.faults.clear();
      readers.fake.log.clear();
      readers.fake.clock.reset();
    });
    return readers;
  }

  async open(
    changes: Partial<AzureVaultSettings> = {},
    identity: Partial<AzureVaultConfig['identity']> = {},
  ): Promise<VaultRegistry> {
    const settings = { ...this.files.vaultSettings('prod', identity), ...changes };
    const registry = await VaultRegistry.open(VaultsConfig.parse({ prod: settings }), { baseDir: this.dir });
    return this.closing(registry);
  }

  /** The registry ends with the test. */
  closing(registry: VaultRegistry): VaultRegistry {
    this.registries.push(registry);
    return registry;
  }
}

/** The error of a read that must fail. */
export async function failure(promise: Promise<unknown>): Promise<VaultError> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VaultError);
  return error as VaultError;
}
