import { VaultError } from './errors.js';

/** Key Vault's limits of an object, which the embedded vault keeps as well (general/about-keys-secrets-certificates). */
export const OBJECT_LIMITS = {
  nameChars: 127,
  valueBytes: 25_600,
  contentTypeChars: 255,
  tags: 15,
  tagKeyChars: 512,
  tagValueChars: 512,
} as const;

const NAME = /^[0-9A-Za-z-]{1,127}$/;
const VERSION = /^[0-9a-f]{32}$/;
const VAULT_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** @throws VaultError SECRET_NAME_INVALID */
export function checkObjectName(objectName: string, vault?: string): void {
  if (typeof objectName !== 'string' || !NAME.test(objectName)) {
    throw new VaultError(
      'SECRET_NAME_INVALID',
      `"${printable(objectName)}" is not an object name: 1 to 127 characters out of 0-9, A-Z, a-z and "-"`,
      vault === undefined ? {} : { vault },
    );
  }
}

/** @throws VaultError SECRET_VERSION_INVALID */
export function checkObjectVersion(objectVersion: string, vault?: string): void {
  if (typeof objectVersion !== 'string' || !VERSION.test(objectVersion)) {
    throw new VaultError(
      'SECRET_VERSION_INVALID',
      `"${printable(objectVersion)}" is not an object version: 32 lower-case hexadecimal digits`,
      vault === undefined ? {} : { vault },
    );
  }
}

/** Names that configuration gives to vaults; they appear in manifests and events. */
export const isVaultName = (name: string): boolean => VAULT_NAME.test(name);

/** Key Vault compares object names without regard to case. */
export const foldObjectName = (objectName: string): string => objectName.toLowerCase();

const printable = (text: unknown): string =>
  String(text)
    .slice(0, 80)
    .replace(/[^\x20-\x7e]/g, '?');
