import { SiegelError } from '#contracts';
import { VaultError, type VaultRegistry } from '#vault';
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import type { SecretDefinition, SecretMaterial } from '../interface.js';
import { refusalOf } from '../../../pipeline/vault-refusals.js';
import { symmetric } from './secret-generator.js';

export interface VaultSecret {
  readonly material: SecretMaterial;
  readonly version: string;
  readonly requestId: string | undefined;
}

/**
 * The value of a secret with a `Source`: an object of a vault, read each time (through the vault's cache). A symmetric key is there as
 * its bytes, or as hex or base64 of so many bytes; a certificate as Key Vault keeps it, PEM or PKCS#12.
 *
 * @throws SiegelError for a vault that cannot or will not answer, CoordinatorError SECRET_UNUSABLE for a value of another type
 */
export async function readVaultSecret(
  vaults: VaultRegistry,
  name: string,
  definition: SecretDefinition,
): Promise<VaultSecret> {
  const { source } = definition;
  if (!source) throw new CoordinatorError('SECRET_UNUSABLE', `secret ${name} has no source`);
  const reference = {
    objectName: source.objectName,
    ...(source.objectVersion === undefined ? {} : { objectVersion: source.objectVersion }),
  };
  try {
    const vault = vaults.get(source.vault);
    if (definition.type === 'symmetric-key' || definition.type === 'plain') {
      const { value, version, requestId } = await vault.getSecret(reference);
      return { material: symmetric(bytesOf(name, definition, value)), version, requestId };
    }
    const { chainPem, privateKeyPem, version, requestId } = await vault.getCertificate(reference);
    const material = certificateOf(name, definition, chainPem, privateKeyPem);
    privateKeyPem.fill(0);
    return { material, version, requestId };
  } catch (error) {
    if (error instanceof VaultError) throw refusalOf(error, `${source.vault}/${source.objectName}`);
    if (error instanceof CoordinatorError || error instanceof SiegelError) throw error;
    throw new SiegelError('INTERNAL', { cause: error });
  }
}

function bytesOf(name: string, { type, size }: SecretDefinition, value: Buffer): Buffer {
  if (value.length === 0) throw unusable(name, 'it is empty');
  if (type === 'plain' || value.length === size / 8) return value;
  const text = value.toString('latin1').trim();
  const hex = /^([0-9a-f]{2})+$/i.test(text) ? Buffer.from(text, 'hex') : undefined;
  if (hex?.length === size / 8) return hex;
  const base64 = /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
  if (base64?.length === size / 8) return base64;
  throw unusable(name, `it is not a key of ${size} bits, nor hex or base64 of one`);
}

function certificateOf(
  name: string,
  definition: SecretDefinition,
  chainPem: string,
  keyPem: Buffer,
): SecretMaterial {
  const key = createPrivateKey(keyPem);
  if (!fits(definition, key))
    throw unusable(name, `its key is not of type ${definition.type} and size ${definition.size}`);
  return {
    private: key.export({ type: 'pkcs8', format: 'der' }),
    public: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    certificate: new X509Certificate(chainPem).raw,
  };
}

const CURVE_BITS: Readonly<Record<string, number>> = {
  secp224r1: 224,
  prime256v1: 256,
  secp384r1: 384,
  secp521r1: 521,
};

function fits({ type, size }: SecretDefinition, key: KeyObject): boolean {
  const details = key.asymmetricKeyDetails;
  switch (type) {
    case 'cert-rsa':
      return key.asymmetricKeyType === 'rsa' && details?.modulusLength === size;
    case 'cert-ecdsa':
      return key.asymmetricKeyType === 'ec' && CURVE_BITS[details?.namedCurve ?? ''] === size;
    default:
      return key.asymmetricKeyType === 'ed25519';
  }
}

const unusable = (name: string, why: string): CoordinatorError =>
  new CoordinatorError('SECRET_UNUSABLE', `secret ${name} cannot be taken from its vault: ${why}`);
