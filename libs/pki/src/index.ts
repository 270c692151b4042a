/** Keys, certificates and signed or sealed messages: the mesh CA, JWS/JWT/JWE, DPoP, challenges. */
export { isPkiError, PkiError } from './pki-error.js';
export { PKI_ERRORS } from './pki-error-catalogue.js';
export type { PkiErrorCode } from './pki-error-catalogue.js';

export { PublicKey } from './public-key.js';
export type { KeyKind } from './key-kinds.js';
export { jwkToSpki } from './jwk.js';
export type { Jwks, PublicJwk } from './jwk.js';

export { LocalSigner } from './signer.js';
export type { Signer, SignerAlg } from './signer.js';
export { SigningKeys } from './signing-keys.js';
export type { ScheduledSigner, SigningKeysOptions } from './signing-keys.js';
export { CertifiedKeys } from './certified-keys.js';
export type { CertifiedKeysOptions } from './certified-keys.js';
export { signLogDelegation, verifyLogDelegation } from './log-delegation.js';
export type { LogDelegation } from './log-delegation.js';
export { createKeyFile, readKeyFile } from './key-file.js';
export { ecdsaDerToRaw, ecdsaRawToDer } from './ecdsa-signature.js';

export { MeshCa } from './mesh-ca.js';
export { RotatingMeshCa } from './rotating-mesh-ca.js';
export type { CertificateIssuer, RotatingMeshCaOptions } from './rotating-mesh-ca.js';
export type { IssuedLeaf, LeafRequest } from './mesh-ca.js';
export type { MeshCaOptions } from './mesh-ca-settings.js';
export { DirectoryAuthorityStore, MemoryAuthorityStore } from './authority-store.js';
export type { AuthorityStore, StoredAuthority } from './authority-store.js';
export type { AuthorityCertificate } from './certificate-authority.js';
export { checkSubjectNames, isDnsName, isSpiffeId, isTrustDomain } from './subject-names.js';
export type { RequestedNames, SubjectNames } from './subject-names.js';
export { MAX_CSR_BYTES, parseCsr } from './certificate-request.js';
export type { ParsedCsr } from './certificate-request.js';
export { fromPem, toPem } from './certificate-pem.js';
/** For certificates of other profiles than the mesh's. */
export {
  derBitString,
  derElement,
  derExplicit,
  derImplicit,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derSet,
  derTime,
  derTrue,
  derUnsigned,
  derUtf8String,
} from './der-writer.js';

export { MAX_TOKEN_BYTES, signJws, verifyJws } from './jws.js';
export type {
  JwsAlg,
  JwsHeader,
  KeySource,
  SignJwsOptions,
  VerificationKey,
  VerifyJwsOptions,
} from './jws.js';
export { MAX_JWT_BYTES, signJwt, verifyJwt } from './jwt.js';
export type { JwtClaims, SignJwtOptions, VerifiedJwt, VerifyJwtOptions } from './jwt.js';
export { AttestationAuthorities, MAX_ATTESTATION_TOKEN_CHARACTERS } from './attestation-authorities.js';
export type { AttestationToken, VerifyAttestationOptions } from './attestation-authorities.js';
export { MAX_PLAINTEXT_BYTES, openJwe, sealJwe } from './jwe.js';
export type { OpenedJwe, SealOptions } from './jwe.js';
export { concatKdf } from './concat-kdf.js';

export { MAX_DPOP_PROOF_BYTES, verifyDpopProof } from './dpop.js';
export type { DpopVerification, VerifiedDpop } from './dpop.js';
export { createDpopProof } from './dpop-proof.js';
export type { DpopProofInput } from './dpop-proof.js';
export { normaliseHtu } from './http-target.js';
export { ReplayCache } from './replay-cache.js';
export type { ReplayStore, ReplayVerdict } from './replay-cache.js';
export { ChallengeMinter } from './challenge.js';
export type { Challenge, ChallengeErrorCode, ChallengeMinterOptions, ChallengeVerdict } from './challenge.js';
export { decodeBase64url, encodeBase64url } from './base64url.js';
