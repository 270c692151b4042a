import { parseCertificate } from './certificate.js';
import { p256Spki } from './ecdsa.js';
import { DcapError } from './error.js';
import { singleCertificateFromText } from './pem.js';

/**
 * How strictly the certificates beneath an anchor must look like Intel's. `intel`: full names and the extensions that
 * Intel's own verifier requires. `role`: the common name must name the role; for test and simulated roots. Signatures,
 * constraints, key usage, dates and revocation are checked alike.
 */
export type CertificateProfile = 'intel' | 'role';

/** A root that may be at the top of a chain, pinned by its key: Intel has issued more than one certificate for its key. */
export interface TrustAnchor {
  /** Names the anchor in reports. */
  readonly id: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** Evidence beneath this anchor proves nothing of hardware. */
  readonly simulated: boolean;
  /** Default `role`. */
  readonly profile?: CertificateProfile;
}

/** Intel's production SGX root CA; the key of both of its certificates (2018 to 2033, 2018 to 2049). */
export const INTEL_SGX_ROOT: TrustAnchor = Object.freeze({
  id: 'intel-sgx-root',
  publicKey: p256Spki(
    Buffer.from(
      '0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5' +
        '67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394',
      'hex',
    ),
  ),
  simulated: false,
  profile: 'intel',
});

/** An anchor from a root certificate in PEM. Throws DcapError (PEM_INVALID, DER_INVALID, CERT_INVALID, OPTIONS_INVALID). */
export function trustAnchorFromPem(
  pem: string,
  options: { id: string; simulated: boolean; profile?: CertificateProfile },
): TrustAnchor {
  const certificate = parseCertificate(singleCertificateFromText(pem));
  if (!certificate.issuer.equals(certificate.subject)) {
    throw new DcapError('OPTIONS_INVALID', 'a trust anchor must be a root certificate');
  }
  return { ...options, publicKey: Buffer.from(certificate.spki) };
}
