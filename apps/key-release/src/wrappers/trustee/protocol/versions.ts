/** Versions of the KBS protocol that clients in the field speak (trustee and guest-components 0.10 to 0.21, enclave-cc). */
export const PROTOCOL_VERSIONS = ['0.1.1', '0.2.0', '0.4.0'] as const;
export type ProtocolVersion = (typeof PROTOCOL_VERSIONS)[number];

/** The kinds of evidence that are understood. `sample` is no evidence: it counts only in a deployment that simulates. */
export const TEES = ['sgx', 'tdx', 'sample'] as const;
export type Tee = (typeof TEES)[number];

/** Kinds that the protocol knows and this service does not verify; named so that a client is told so. */
export const OTHER_TEES: ReadonlySet<string> = new Set([
  'az-snp-vtpm',
  'az-tdx-vtpm',
  'cca',
  'csv',
  'hygondcu',
  'nvidia',
  'nvidia-dpu',
  'sampledevice',
  'se',
  'snp',
  'tpm',
]);

/** Before 0.4.0 there is one piece of evidence, and its runtime data has no member for further devices. */
export const isComposite = (version: ProtocolVersion): boolean => version === '0.4.0';

/** Up to 0.1.1 the protected header of a JWE is plain text, not authenticated, and the tag stands behind the ciphertext. */
export const hasLegacyJwe = (version: ProtocolVersion): boolean => version === '0.1.1';
