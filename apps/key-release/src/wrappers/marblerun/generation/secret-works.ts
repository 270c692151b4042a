import type { VaultRegistry } from '#vault';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { VAULTS } from '../../../vaults/vaults.token.js';
import type { CertifiedKey, Manifest, SecretDefinition, SecretMaterial, SecretWorks } from '../interface.js';
import { dryRun } from '../templates/manifest-templates.js';
import { RsaKeyPool } from './rsa-key-pool.js';
import { SecretGenerator } from './secret-generator.js';
import { readVaultSecret, type VaultSecret } from './vault-secret.js';

/** One key is being made while a thread of the pool is left to others; a handful is ready when a fleet starts. */
const RSA_KEYS = { ready: 8, parallel: 1, sizes: 4 } as const;

/** Where the values of secrets come from: generator, derivation, vaults. */
@Injectable()
export class MarbleSecrets implements SecretWorks, OnModuleDestroy {
  private readonly rsaKeys = new RsaKeyPool(RSA_KEYS);
  readonly generator = new SecretGenerator(this.rsaKeys);

  constructor(@Inject(VAULTS) private readonly vaults: VaultRegistry) {}

  generate(name: string, definition: SecretDefinition, issuer: CertifiedKey): Promise<SecretMaterial> {
    return this.generator.shared(name, definition, issuer);
  }

  async fromSource(name: string, definition: SecretDefinition): Promise<SecretMaterial> {
    return (await this.read(name, definition)).material;
  }

  /** With the version, for the event. @throws SiegelError, CoordinatorError */
  read(name: string, definition: SecretDefinition): Promise<VaultSecret> {
    return readVaultSecret(this.vaults, name, definition);
  }

  dryRun(manifest: Manifest): void {
    dryRun(manifest);
  }

  onModuleDestroy(): void {
    this.rsaKeys.close();
  }
}
