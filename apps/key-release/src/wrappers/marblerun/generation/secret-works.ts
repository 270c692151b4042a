import { marblerun } from '#policy';
import type { VaultRegistry } from '#vault';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { availableParallelism } from 'node:os';
import { VAULTS } from '../../../vaults/vaults.token.js';
import { CoordinatorError } from '../coordinator-error.js';
import type { CertifiedKey, Manifest, SecretDefinition, SecretMaterial, SecretWorks } from '../interface.js';
import { RsaKeyPool } from './rsa-key-pool.js';
import { SecretGenerator } from './secret-generator.js';
import { readVaultSecret, type VaultSecret } from './vault-secret.js';

/** A handful is ready when a fleet starts. Half of the processors make keys, and at least one of libuv's four threads never does. */
const RSA_KEYS = {
  ready: 8,
  parallel: Math.max(1, Math.min(3, Math.floor(availableParallelism() / 2))),
  sizes: 4,
} as const;

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
    const [fault] = marblerun.templateFaults(manifest);
    if (fault)
      throw new CoordinatorError('MANIFEST_INVALID', `running manifest template dry run: ${fault.message}`, {
        cause: fault.cause,
      });
  }

  onModuleDestroy(): void {
    this.rsaKeys.close();
  }
}
