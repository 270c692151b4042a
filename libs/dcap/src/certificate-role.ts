import { KEY_USAGE } from './certificate.js';
import type { Certificate } from './certificate.js';
import { readName } from './distinguished-name.js';
import { DcapError } from './error.js';
import type { CertificateProfile } from './trust-anchor.js';

/** The places in Intel's PKI (SGX PCK Certificate and CRL Profile Specification, §1.2). */
export type CertificateRole = 'root' | 'platform-ca' | 'processor-ca' | 'pck' | 'tcb-signer';

const NAMES: Readonly<Record<CertificateRole, string>> = {
  root: 'SGX Root CA',
  'platform-ca': 'SGX PCK Platform CA',
  'processor-ca': 'SGX PCK Processor CA',
  pck: 'SGX PCK Certificate',
  'tcb-signer': 'SGX TCB Signing',
};
const ROLES = Object.keys(NAMES) as CertificateRole[];

const INTEL_NAME: ReadonlyMap<string, string> = new Map([
  ['O', 'Intel Corporation'],
  ['L', 'Santa Clara'],
  ['ST', 'CA'],
  ['C', 'US'],
]);

/** The role that the common name claims, if any. */
export function claimedRole(certificate: Certificate): CertificateRole | undefined {
  return ROLES.find((role) => certificate.commonName.includes(NAMES[role]));
}

/** Refuses a certificate whose name, constraints or key usage are not those of its role. */
export function checkRole(
  certificate: Certificate,
  role: CertificateRole,
  profile: CertificateProfile,
): void {
  if (claimedRole(certificate) !== role) {
    throw new DcapError('CERT_ROLE_INVALID', `"${certificate.commonName}" is not the ${role} certificate`);
  }
  checkConstraints(certificate, role, profile);
  if (profile === 'intel') checkIntelProfile(certificate, role);
}

function checkConstraints(
  certificate: Certificate,
  role: CertificateRole,
  profile: CertificateProfile,
): void {
  const { basicConstraints, keyUsage } = certificate.extensions;
  const fail = (what: string): never => {
    throw new DcapError('CERT_CONSTRAINTS_INVALID', `the ${role} certificate ${what}`);
  };
  if (role === 'pck' || role === 'tcb-signer') {
    if (basicConstraints?.ca === true) fail('is that of a CA');
    if (keyUsage === undefined ? profile === 'intel' : (keyUsage & KEY_USAGE.digitalSignature) === 0) {
      fail('may not sign');
    }
    if (keyUsage !== undefined && (keyUsage & KEY_USAGE.keyCertSign) !== 0) fail('may sign certificates');
    return;
  }
  if (basicConstraints?.ca !== true) fail('is not that of a CA');
  // Both CAs sign certificates and CRLs.
  const needed = KEY_USAGE.keyCertSign | KEY_USAGE.crlSign;
  if (keyUsage === undefined || (keyUsage & needed) !== needed) fail('may not sign certificates and CRLs');
  const pathLength = basicConstraints?.pathLength;
  const relaxed = profile === 'role';
  const fits =
    pathLength === undefined
      ? relaxed
      : role === 'root'
        ? pathLength === 1 || (relaxed && pathLength > 1)
        : pathLength === 0;
  if (!fits) {
    fail('has a wrong path length');
  }
}

/** Names in full, and the extensions that Intel's verifier requires of every certificate. */
function checkIntelProfile(certificate: Certificate, role: CertificateRole): void {
  const name = readName(certificate.subject);
  const exact =
    name.get('CN') === `Intel ${NAMES[role]}` &&
    name.size === INTEL_NAME.size + 1 &&
    [...INTEL_NAME].every(([key, value]) => name.get(key) === value);
  if (!exact)
    throw new DcapError('CERT_ROLE_INVALID', `the ${role} certificate has not the name that Intel gives it`);
  const { basicConstraints, keyUsage, subjectKeyId, authorityKeyId, hasCrlDistributionPoints } =
    certificate.extensions;
  const complete =
    basicConstraints !== undefined &&
    keyUsage !== undefined &&
    subjectKeyId !== undefined &&
    authorityKeyId !== undefined &&
    hasCrlDistributionPoints;
  if (!complete) throw new DcapError('CERT_INVALID', `the ${role} certificate lacks a required extension`);
}
