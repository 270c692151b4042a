import { randomBytes } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import { derivePrivateSecret } from '../derivation/private-secret.js';
import type { CertifiedKey, SecretDefinition, SecretMaterial } from '../interface.js';
import { generateEcKeyPair, isEcBits } from './ec-key-encoding.js';
import { issuerOf } from './issuer.js';
import { generateEd25519KeyPair, type KeyPair } from './key-pair.js';
import type { RsaKeyPool } from './rsa-key-pool.js';
import { writeSecretCertificate } from './secret-certificate.js';

const NOTHING = Buffer.alloc(0);

/** Whose private secret is wanted. */
export interface PrivateOwner {
  readonly rootSecret: Buffer;
  readonly uuid: string;
  readonly marbleType: string;
  readonly unbound: boolean;
}

/** Makes the values of secrets that the coordinator makes itself. Source: reference marblerun.md §1.3. */
export class SecretGenerator {
  constructor(private readonly rsaKeys: RsaKeyPool) {}

  /** A value for all marbles; random. */
  async shared(name: string, definition: SecretDefinition, issuer: CertifiedKey): Promise<SecretMaterial> {
    if (definition.type === 'symmetric-key') return symmetric(randomBytes(definition.size / 8));
    return this.certified(name, definition, issuer);
  }

  /** A value for one marble: derived where it is symmetric, else new at each activation. */
  async private(
    name: string,
    definition: SecretDefinition,
    issuer: CertifiedKey,
    owner: PrivateOwner,
  ): Promise<SecretMaterial> {
    if (definition.type === 'symmetric-key')
      return symmetric(derivePrivateSecret({ ...owner, secretName: name, length: definition.size / 8 }));
    return this.certified(name, definition, issuer);
  }

  private async certified(
    name: string,
    definition: SecretDefinition,
    issuer: CertifiedKey,
  ): Promise<SecretMaterial> {
    const { privateKey, publicKey } = await this.keyPair(name, definition);
    const certificate = await writeSecretCertificate(definition, publicKey, issuerOf(issuer), new Date());
    return { private: privateKey, public: publicKey, certificate };
  }

  private keyPair(name: string, { type, size }: SecretDefinition): KeyPair | Promise<KeyPair> {
    if (type === 'cert-rsa') return this.rsaKeys.take(size);
    if (type === 'cert-ed25519') return generateEd25519KeyPair();
    if (type === 'cert-ecdsa' && isEcBits(size)) return generateEcKeyPair(size);
    throw new CoordinatorError(
      'SECRET_UNUSABLE',
      `secret ${name} of type ${type} and size ${size} cannot be generated`,
    );
  }
}

/** Symmetric and plain secrets: one value in both places. */
export const symmetric = (value: Buffer): SecretMaterial => ({
  private: value,
  public: value,
  certificate: NOTHING,
});
