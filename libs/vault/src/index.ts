export * from './errors.js';
export * from './secret-source.js';
export { SYSTEM_CLOCK, type Clock } from './clock.js';
export { OBJECT_LIMITS, checkObjectName, checkObjectVersion, isVaultName } from './object-names.js';
export { BINARY, PEM, PKCS12 } from './content-type.js';
export { readCertificateBundle, type CertificateBundle } from './certificate/certificate-bundle.js';
export { readPkcs12, writePkcs12, type Pkcs12Content } from './certificate/pkcs12.js';
export { EmbeddedVault, type EmbeddedVaultOptions } from './embedded/embedded-vault.js';
export { authorityOf, AZURE_CLOUDS, cloudOf, type AzureCloud } from './azure/clouds.js';
export { AzureKeyVault, KEY_VAULT_API_VERSION, type AzureKeyVaultOptions } from './azure/azure-key-vault.js';
export { openConnection, type AzureConnection } from './azure/connection.js';
export {
  makeApplicationCredential,
  type ApplicationIdentity,
  type ApplicationOptions,
} from './azure/application-credential.js';
export { makeCredential, type IdentityOptions } from './azure/identity.js';
export { makeTransport, type Transport, type TransportOptions } from './azure/transport.js';
export { toVaultError } from './azure/error-mapping.js';
export { CachingReader, type CachingReaderOptions, type ReaderStats } from './reader/caching-reader.js';
export { ReaderSettings, type ReaderSettingsInput } from './reader/reader-options.js';
export { KeyVaultSigner, type VaultKeyJwk } from './keys/key-vault-signer.js';
export {
  VaultSigningKey,
  type VaultKeyVersion,
  type VaultSigningKeyOptions,
} from './keys/vault-signing-key.js';
export { SignersConfig, VaultKeyConfig, type SignersConfigInput } from './keys/signers-config.js';
export { readSignersFile } from './keys/read-signers-file.js';
export {
  AzureConnectionConfig,
  AzureIdentityConfig,
  AzureVaultConfig,
  EmbeddedVaultConfig,
  VaultsConfig,
  type VaultsConfigInput,
} from './registry/vaults-config.js';
export { VaultRegistry, type VaultRegistryOptions } from './registry/vault-registry.js';
