/** What a manifest names: an object of a vault, at a version or at its latest one. */
export interface ObjectRef {
  readonly objectName: string;
  /** 32 lower-case hex digits; without it the latest version. */
  readonly objectVersion?: string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal;
  /**
   * How old (seconds since it was read from the vault) a cached value may be when the vault cannot answer.
   * 0 forbids stale values. Sources without a cache ignore it.
   */
  readonly maxStaleSeconds?: number;
  /** Release the value although its expiry time has passed (the manifest's `allowExpired`). Default false. */
  readonly allowExpired?: boolean;
  /** Go to the vault even where a fresh cached value exists (after a rotation hint). Sources without a cache ignore it. */
  readonly refresh?: boolean;
}

export interface SecretValue {
  /**
   * The bytes of the secret: the UTF-8 text as stored, or the decoded bytes where the content type is
   * `application/octet-stream` or `application/x-pkcs12` (both are base64 in the vault). The caller owns this copy and may zero it.
   */
  readonly value: Buffer;
  readonly version: string;
  readonly contentType?: string;
  readonly enabled: boolean;
  readonly notBefore?: Date;
  readonly expiresOn?: Date;
  readonly updatedOn?: Date;
  /** `x-ms-request-id` of the read that brought it, also when it comes from a cache. */
  readonly requestId?: string;
  /** Seconds since it was read from the vault; absent where the source has no cache. */
  readonly ageSeconds?: number;
  /** The vault could not answer, and this value stands in for it. */
  readonly stale?: boolean;
}

/** A certificate and its private key, both of the same version. */
export interface CertificateValue {
  readonly version: string;
  /** The content type under which the vault keeps the pair: PEM or PKCS#12. */
  readonly contentType: 'application/x-pem-file' | 'application/x-pkcs12';
  /** PEM, leaf first, then its issuers. */
  readonly chainPem: string;
  /** PEM, PKCS#8. The caller owns this copy and may zero it. */
  readonly privateKeyPem: Buffer;
  readonly enabled: boolean;
  /** Of the leaf certificate. */
  readonly notBefore: Date;
  /** Of the leaf certificate. */
  readonly notAfter: Date;
  /** SHA-256 of the leaf's DER, hex. */
  readonly sha256: string;
  readonly requestId?: string;
  readonly ageSeconds?: number;
  readonly stale?: boolean;
}

export interface SecretProperties {
  readonly name: string;
  readonly version?: string;
  readonly contentType?: string;
  readonly enabled: boolean;
  readonly notBefore?: Date;
  readonly expiresOn?: Date;
  readonly updatedOn?: Date;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface VaultHealth {
  readonly ok: boolean;
  /** Error code of a failed check. */
  readonly code?: string;
  readonly message?: string;
  readonly remedy?: string;
  readonly latencyMs?: number;
  readonly requestId?: string;
}

/**
 * A place where secrets lie. Reads enforce `enabled`, `nbf` and `exp` themselves, because Key Vault serves secrets
 * outside their window (azure.md §1.9).
 */
export interface SecretSource {
  /** The name that manifests use. */
  readonly name: string;
  readonly kind: string;
  /** @throws VaultError */
  getSecret(ref: ObjectRef, options?: ReadOptions): Promise<SecretValue>;
  /** @throws VaultError */
  getCertificate(ref: ObjectRef, options?: ReadOptions): Promise<CertificateValue>;
  listSecrets?(options?: { signal?: AbortSignal }): AsyncIterable<SecretProperties>;
  /** Whether the vault answers to this identity; never throws. */
  check(options?: { signal?: AbortSignal }): Promise<VaultHealth>;
  close(): Promise<void>;
}

export interface SetSecretProperties {
  readonly contentType?: string;
  readonly enabled?: boolean;
  readonly notBefore?: Date;
  readonly expiresOn?: Date;
  readonly tags?: Readonly<Record<string, string>>;
}

/** What is left out stays as it is. Key Vault's SDK cannot take a date away again, so neither can this. */
export interface UpdateSecretProperties {
  readonly contentType?: string;
  readonly enabled?: boolean;
  readonly notBefore?: Date;
  readonly expiresOn?: Date;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface WritableSecretSource extends SecretSource {
  /**
   * Stores a new version. Bytes of the content types `application/octet-stream` and `application/x-pkcs12` are kept as base64, others
   * must be UTF-8 text.
   * @throws VaultError
   */
  setSecret(
    name: string,
    value: string | Uint8Array,
    properties?: SetSecretProperties,
  ): Promise<SecretProperties>;
  /** @throws VaultError */
  updateSecret(ref: ObjectRef, properties: UpdateSecretProperties): Promise<SecretProperties>;
  /** All versions of a name, oldest first. */
  listVersions(name: string): AsyncIterable<SecretProperties>;
  /** Soft delete: all versions become unreadable, the name stays taken. */
  deleteSecret(name: string): Promise<void>;
  recoverSecret(name: string): Promise<void>;
  /** Irreversible. The secret must be soft-deleted. */
  purgeSecret(name: string): Promise<void>;
}
