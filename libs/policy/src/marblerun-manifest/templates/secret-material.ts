/**
 * The value of a secret. Symmetric and plain: `private` and `public` are the same bytes, `certificate` is empty. Certificates: PKCS#8
 * DER, SubjectPublicKeyInfo DER, certificate DER.
 */
export interface SecretMaterial {
  readonly private: Buffer;
  readonly public: Buffer;
  readonly certificate: Buffer;
}
