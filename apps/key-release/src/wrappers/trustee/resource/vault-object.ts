import { SiegelError } from '#contracts';
import type { ResourceGrant } from '#policy';
import { isVaultError, type VaultRegistry } from '#vault';
import { refusalOf } from '../../../pipeline/vault-refusals.js';

/** A resource as it lies in its vault. The holder wipes the bytes. */
export interface VaultObject {
  readonly bytes: Buffer;
  readonly version: string;
  readonly requestId: string | undefined;
}

/** Reads the object behind a resource, its bytes as the manifest says. @throws SiegelError with the vault's code as the reason */
export async function readVaultObject(vaults: VaultRegistry, grant: ResourceGrant): Promise<VaultObject> {
  const { secret, encoding } = grant;
  const reference = {
    objectName: secret.objectName,
    ...(secret.objectVersion === undefined ? {} : { objectVersion: secret.objectVersion }),
  };
  const options = {
    ...(secret.allowExpired === undefined ? {} : { allowExpired: secret.allowExpired }),
    ...(secret.maxStaleSeconds === undefined ? {} : { maxStaleSeconds: secret.maxStaleSeconds }),
  };
  const name = `${secret.vault}/${secret.objectName}`;
  try {
    const source = vaults.get(secret.vault);
    if (secret.objectType === 'cert') {
      const { chainPem, privateKeyPem, version, requestId } = await source.getCertificate(reference, options);
      // Leaf, issuers, then the key: the order that servers read a combined PEM file in.
      const bytes = Buffer.concat([Buffer.from(chainPem), privateKeyPem]);
      privateKeyPem.fill(0);
      return { bytes: decoded(bytes, encoding, name), version, requestId };
    }
    const { value, version, requestId } = await source.getSecret(reference, options);
    return { bytes: decoded(value, encoding, name), version, requestId };
  } catch (error) {
    if (isVaultError(error)) throw refusalOf(error, name);
    throw error;
  }
}

function decoded(value: Buffer, encoding: ResourceGrant['encoding'], name: string): Buffer {
  if (encoding === 'none') return value;
  const written = value.toString('latin1').trim();
  value.fill(0);
  const plain =
    encoding === 'hex'
      ? written.toLowerCase()
      : written.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '');
  const bytes = Buffer.from(plain, encoding);
  if (bytes.toString(encoding).replace(/=+$/, '') === plain) return bytes;
  throw new SiegelError('SECRET_UNUSABLE', {
    reason: { code: 'RESOURCE_ENCODING', message: `${name} is not ${encoding}, as the manifest says` },
  });
}
