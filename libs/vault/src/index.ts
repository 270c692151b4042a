export * from './errors.js';
export * from './secret-source.js';
export { SYSTEM_CLOCK, type Clock } from './clock.js';
export { OBJECT_LIMITS, checkObjectName, checkObjectVersion, isVaultName } from './object-names.js';
export { BINARY, PEM, PKCS12 } from './content-type.js';
export { readCertificateBundle, type CertificateBundle } from './certificate/certificate-bundle.js';
export { readPkcs12, writePkcs12, type Pkcs12Content } from './certificate/pkcs12.js';
export { EmbeddedVault, type EmbeddedVaultOptions } from './embedded/embedded-vault.js';
