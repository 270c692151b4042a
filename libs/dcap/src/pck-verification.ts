import { hash } from 'node:crypto';
import type { CollateralEpoch } from './collateral-epoch.js';
import { DcapError } from './error.js';
import { pemBlocks } from './pem.js';
import type { Quote } from './quote.js';
import type { VerificationReport } from './report.js';
import { parseSgxExtension } from './sgx-extension.js';
import type { SgxExtension } from './sgx-extension.js';
import { trustPckChain } from './trust-store.js';
import type { TrustedCertificate, TrustStore } from './trust-store.js';
import { certificateValidity, checkValidity } from './validity.js';
import type { Validity } from './validity.js';

/** A PCK certificate whose chain is verified, but for dates and revocation. */
export interface VerifiedPck {
  readonly trusted: TrustedCertificate;
  readonly ca: TrustedCertificate;
  readonly sgx: SgxExtension;
  readonly validities: readonly Validity[];
  readonly claims: PlatformClaims;
}

/** What the PCK certificate says of the platform. */
export type PlatformClaims = Pick<
  VerificationReport,
  | 'fmspc'
  | 'pceId'
  | 'ppidSha256'
  | 'platformInstanceId'
  | 'sgxType'
  | 'dynamicPlatform'
  | 'cachedKeys'
  | 'smtEnabled'
  | 'pckCa'
>;

/** The PEM chain for a quote: the one that the caller looked up, or its own. */
export function pckChainOf(quote: Quote, lookedUp?: string): Buffer | string {
  if (lookedUp !== undefined) return lookedUp;
  const { certification } = quote.qe;
  if (certification.type === 5) return certification.raw;
  throw new DcapError(
    'PCK_LOOKUP_REQUIRED',
    `certification data of type ${certification.type} does not carry the PCK chain`,
  );
}

/** Verifies structure, names, constraints and signatures of a PCK chain up to a pinned root; not its dates. */
export function verifyPckChain(chain: Buffer | string, store: TrustStore): TrustedCertificate {
  return trustPckChain(pemBlocks(chain), store);
}

/** Reads what the certificate says of the platform and checks the dates of its chain. */
export function openPckCertificate(trusted: TrustedCertificate, now: number): VerifiedPck {
  const ca = trusted.issuer as TrustedCertificate;
  const { sgx: value } = trusted.certificate.extensions;
  if (value === undefined)
    throw new DcapError('SGX_EXTENSION_INVALID', 'the PCK certificate has no SGX extension');
  const sgx = parseSgxExtension(value);
  const chained = [trusted, ca, ca.issuer as TrustedCertificate];
  const validities = chained.map(({ certificate }) => certificateValidity(certificate));
  checkValidity(validities, now);
  return { trusted, ca, sgx, validities, claims: platformClaims(sgx, ca) };
}

/** A looked-up chain must fit what the quote says of its PCK certificate; the QE report's signature does the rest. */
export function checkLookedUpPck(quote: Quote, pck: VerifiedPck): void {
  const { certification } = quote.qe;
  if (certification.type === 5) return;
  if (certification.type === 4) {
    const [leaf, another] = pemBlocks(certification.raw);
    if (another !== undefined || leaf?.decode().equals(pck.trusted.certificate.raw) !== true) {
      throw new DcapError(
        'CERT_ISSUER_MISMATCH',
        'the chain is not that of the PCK certificate in the quote',
      );
    }
    return;
  }
  if (certification.pceId !== undefined && certification.pceId !== pck.sgx.pceId) {
    throw new DcapError('PCE_ID_MISMATCH', 'the PCK certificate is of another PCE than the quote names');
  }
}

/** Judges the PCK certificate by the revocation lists of an epoch. */
export function checkPckRevocation(pck: VerifiedPck, epoch: CollateralEpoch): void {
  const { pckCa, anchor } = epoch.issuers;
  if (pck.trusted.anchor.id !== anchor.id || !pck.trusted.anchor.publicKey.equals(anchor.publicKey)) {
    throw new DcapError('ROOT_NOT_TRUSTED', 'quote and collateral end in different roots');
  }
  const { subject, spki, serial } = pck.ca.certificate;
  // The CA may have been issued anew with the same key; what counts for its CRL is its name and key.
  if (!subject.equals(pckCa.certificate.subject) || !spki.equals(pckCa.certificate.spki)) {
    throw new DcapError('PCK_CA_MISMATCH', 'the PCK CRL is not of the CA that issued the PCK certificate');
  }
  if (epoch.rootCrl.revoked.has(serial)) {
    throw new DcapError('INTERMEDIATE_CA_REVOKED', 'the CA of the PCK certificate is revoked');
  }
  if (epoch.pckCrl.revoked.has(pck.trusted.certificate.serial)) {
    throw new DcapError('PCK_REVOKED', 'the PCK certificate is revoked');
  }
}

/** Requires TCB info of the platform's FMSPC and PCE, and of the TEE of the quote. */
export function checkCollateralMatch(quote: Quote, pck: VerifiedPck, epoch: CollateralEpoch): void {
  if (epoch.tee !== quote.tee) {
    throw new DcapError('TCB_INFO_TEE_MISMATCH', `TCB info is for ${epoch.tee}, the quote of ${quote.tee}`);
  }
  if (epoch.fmspc !== pck.sgx.fmspc) {
    throw new DcapError(
      'FMSPC_MISMATCH',
      `TCB info is for FMSPC ${epoch.fmspc}, the platform is ${pck.sgx.fmspc}`,
    );
  }
  if (epoch.pceId !== pck.sgx.pceId) {
    throw new DcapError(
      'PCE_ID_MISMATCH',
      `TCB info is for PCE ${epoch.pceId}, the platform has ${pck.sgx.pceId}`,
    );
  }
}

function platformClaims(sgx: SgxExtension, ca: TrustedCertificate): PlatformClaims {
  return Object.freeze({
    fmspc: sgx.fmspc,
    pceId: sgx.pceId,
    ppidSha256: hash('sha256', sgx.ppid, 'hex'),
    ...(sgx.platformInstanceId && { platformInstanceId: sgx.platformInstanceId.toString('hex') }),
    sgxType: sgx.sgxType,
    ...sgx.configuration,
    pckCa: ca.role === 'platform-ca' ? ('platform' as const) : ('processor' as const),
  });
}
