import type { CollateralBundle } from './collateral-bundle.js';
import type { Certificate } from './certificate.js';
import { parseCrl } from './crl.js';
import type { Crl } from './crl.js';
import { DcapError } from './error.js';
import { pemBlocks } from './pem.js';
import { parseQeIdentity } from './qe-identity.js';
import type { QeIdentity } from './qe-identity.js';
import { strictHex } from './signed-json.js';
import { parseTcbInfo } from './tcb-info.js';
import type { TcbInfo } from './tcb-info.js';
import type { TrustAnchor } from './trust-anchor.js';
import { trustPair } from './trust-store.js';
import type { TrustedCertificate, TrustStore } from './trust-store.js';

/** The verified certificates that collateral rests on, all beneath one anchor. */
export interface CollateralIssuers {
  readonly tcbSigner: TrustedCertificate;
  readonly qeSigner: TrustedCertificate;
  readonly pckCa: TrustedCertificate;
  readonly root: TrustedCertificate;
  readonly anchor: TrustAnchor;
  /** All of them, without repetition. */
  readonly certificates: readonly Certificate[];
}

export function openIssuers(bundle: CollateralBundle, store: TrustStore): CollateralIssuers {
  const tcbSigner = trustPair(
    pemBlocks(bundle.tcb_info_issuer_chain),
    ['tcb-signer'],
    store,
    'TCB info issuer chain',
  );
  const qeSigner = trustPair(
    pemBlocks(bundle.qe_identity_issuer_chain),
    ['tcb-signer'],
    store,
    'QE identity issuer chain',
  );
  const pckCa = trustPair(
    pemBlocks(bundle.pck_crl_issuer_chain),
    ['platform-ca', 'processor-ca'],
    store,
    'PCK CRL issuer chain',
  );
  const { anchor } = tcbSigner;
  if (qeSigner.anchor !== anchor || pckCa.anchor !== anchor) {
    throw new DcapError('ROOT_NOT_TRUSTED', 'the chains of the collateral end in different roots');
  }
  const all = [tcbSigner, qeSigner, pckCa].flatMap((trusted) => [trusted, rootOf(trusted)]);
  const certificates = [...new Set(all)].map(({ certificate }) => certificate);
  return { tcbSigner, qeSigner, pckCa, root: rootOf(tcbSigner), anchor, certificates };
}

function rootOf(trusted: TrustedCertificate): TrustedCertificate {
  return trusted.issuer === undefined ? trusted : rootOf(trusted.issuer);
}

/** The CRL of the root CA, and what it says of the CAs and signers of the collateral. */
export function openRootCrl(hex: string, issuers: CollateralIssuers): Crl {
  const crl = openCrl(hex, issuers.root, 'root CA');
  for (const signer of [issuers.tcbSigner, issuers.qeSigner]) {
    if (crl.revoked.has(signer.certificate.serial)) {
      throw new DcapError('TCB_SIGNER_REVOKED', 'the certificate that signs the collateral is revoked');
    }
  }
  if (crl.revoked.has(issuers.pckCa.certificate.serial)) {
    throw new DcapError('INTERMEDIATE_CA_REVOKED', 'the CA of the PCK certificates is revoked');
  }
  return crl;
}

export function openPckCrl(hex: string, issuers: CollateralIssuers): Crl {
  return openCrl(hex, issuers.pckCa, 'PCK CA');
}

function openCrl(hex: string, issuer: TrustedCertificate, what: string): Crl {
  const crl = parseCrl(strictHex(hex, 'CRL_INVALID', `the CRL of the ${what}`));
  const { subject, extensions } = issuer.certificate;
  if (!crl.issuer.equals(subject))
    throw new DcapError('CRL_ISSUER_MISMATCH', `the CRL is not of the ${what}`);
  if (issuer.anchor.profile === 'intel' && (crl.number === undefined || crl.authorityKeyId === undefined)) {
    throw new DcapError('CRL_INVALID', `the CRL of the ${what} lacks a required extension`);
  }
  const { subjectKeyId } = extensions;
  if (
    crl.authorityKeyId !== undefined &&
    subjectKeyId !== undefined &&
    !crl.authorityKeyId.equals(subjectKeyId)
  ) {
    throw new DcapError('CRL_ISSUER_MISMATCH', `the CRL is of another key of the ${what}`);
  }
  if (!issuer.key.verify(crl.tbs, crl.signature)) {
    throw new DcapError('CRL_SIGNATURE_INVALID', `the CRL is not signed by the ${what}`);
  }
  return crl;
}

/** Verifies the signature over the exact text first, so that only authentic text is interpreted. */
export function openTcbInfo(bundle: CollateralBundle, issuers: CollateralIssuers): TcbInfo {
  const signature = strictHex(bundle.tcb_info_signature, 'COLLATERAL_INVALID', 'tcb_info_signature');
  if (!issuers.tcbSigner.key.verify(Buffer.from(bundle.tcb_info, 'utf8'), signature)) {
    throw new DcapError('TCB_INFO_SIGNATURE_INVALID', 'TCB info is not signed by the TCB signing key');
  }
  return parseTcbInfo(bundle.tcb_info);
}

export function openQeIdentity(
  bundle: CollateralBundle,
  issuers: CollateralIssuers,
  tcbInfo: TcbInfo,
): QeIdentity {
  const signature = strictHex(bundle.qe_identity_signature, 'COLLATERAL_INVALID', 'qe_identity_signature');
  if (!issuers.qeSigner.key.verify(Buffer.from(bundle.qe_identity, 'utf8'), signature)) {
    throw new DcapError('QE_IDENTITY_SIGNATURE_INVALID', 'QE identity is not signed by the TCB signing key');
  }
  const identity = parseQeIdentity(bundle.qe_identity);
  const expected = tcbInfo.id === 'SGX' ? 'QE' : 'TD_QE';
  if (identity.id !== expected) {
    throw new DcapError(
      'QE_IDENTITY_MISMATCH',
      `the identity is that of ${identity.id} instead of ${expected}`,
    );
  }
  return identity;
}
