import { parseCertificate } from './certificate.js';
import type { Certificate } from './certificate.js';
import { checkRole, claimedRole } from './certificate-role.js';
import type { CertificateRole } from './certificate-role.js';
import { P256PublicKey } from './ecdsa.js';
import { DcapError } from './error.js';
import type { PemBlock } from './pem.js';
import type { TrustAnchor } from './trust-anchor.js';

/** A certificate whose chain up to an anchor has been verified, but for dates and revocation. */
export interface TrustedCertificate {
  readonly certificate: Certificate;
  readonly role: CertificateRole;
  readonly key: P256PublicKey;
  readonly anchor: TrustAnchor;
  /** Absent for a root. */
  readonly issuer?: TrustedCertificate;
}

/** Genuine CAs and TCB signers are less than ten; only verified ones are kept. */
const MAX_KNOWN = 32;
/** One certificate has some thousand canonical texts, by the length of its lines; real quotes have two of them. */
const MAX_TEXTS = 128;

/** Verifies certificates against pinned roots and remembers those of CAs, so that each costs one verification. */
export class TrustStore {
  private readonly parsed = new Map<string, Certificate>();
  private readonly trusted = new Map<string, TrustedCertificate>();

  constructor(private readonly anchors: readonly TrustAnchor[]) {
    if (anchors.length === 0) throw new DcapError('OPTIONS_INVALID', 'there is no trust anchor');
  }

  /** Parses a certificate, unless it is a CA or signer that has been verified from the same text before. */
  parse(block: PemBlock): Certificate {
    return this.parsed.get(block.text) ?? parseCertificate(block.decode());
  }

  /** Verifies a root: self-issued, self-signed, with a pinned key. */
  trustRoot(certificate: Certificate, block: PemBlock): TrustedCertificate {
    return this.remembered(certificate.raw.toString('latin1'), block, () => {
      if (!certificate.issuer.equals(certificate.subject)) {
        throw new DcapError('CERT_CHAIN_LENGTH', 'the chain has no root certificate');
      }
      const anchor = this.anchors.find(({ publicKey }) => publicKey.equals(certificate.spki));
      if (anchor === undefined)
        throw new DcapError('ROOT_NOT_TRUSTED', 'the root of the chain is not a trust anchor');
      checkRole(certificate, 'root', anchor.profile ?? 'role');
      const key = new P256PublicKey(certificate.spki, 'KEY_INVALID').check();
      checkSignature(certificate, key);
      return { certificate, role: 'root', key, anchor };
    });
  }

  /** Verifies a CA or signer that `issuer` must have issued. */
  trustIssued(
    certificate: Certificate,
    block: PemBlock,
    role: CertificateRole,
    issuer: TrustedCertificate,
  ): TrustedCertificate {
    // The issuer belongs to the key: another certificate for its key has other dates.
    const key = certificate.raw.toString('latin1') + issuer.certificate.raw.toString('latin1');
    const trusted = this.remembered(key, block, () => verifyIssued(certificate, role, issuer));
    if (trusted.role !== role) {
      throw new DcapError('CERT_ROLE_INVALID', `"${certificate.commonName}" is not the ${role} certificate`);
    }
    return trusted;
  }

  private remembered(key: string, block: PemBlock, verify: () => TrustedCertificate): TrustedCertificate {
    const trusted = this.trusted.get(key) ?? verify();
    if (this.trusted.size < MAX_KNOWN) {
      this.trusted.set(key, trusted);
      if (this.parsed.size < MAX_TEXTS) this.parsed.set(block.text, trusted.certificate);
    }
    return trusted;
  }
}

/** Verifies one certificate against its verified issuer: name, signature, role. */
export function verifyIssued(
  certificate: Certificate,
  role: CertificateRole,
  issuer: TrustedCertificate,
): TrustedCertificate {
  if (!certificate.issuer.equals(issuer.certificate.subject)) {
    throw new DcapError('CERT_ISSUER_MISMATCH', `"${certificate.commonName}" names another issuer`);
  }
  const { authorityKeyId } = certificate.extensions;
  const { subjectKeyId } = issuer.certificate.extensions;
  if (authorityKeyId !== undefined && subjectKeyId !== undefined && !authorityKeyId.equals(subjectKeyId)) {
    throw new DcapError(
      'CERT_ISSUER_MISMATCH',
      `"${certificate.commonName}" names another key of its issuer`,
    );
  }
  checkRole(certificate, role, issuer.anchor.profile ?? 'role');
  checkSignature(certificate, issuer.key);
  const key = new P256PublicKey(certificate.spki, 'KEY_INVALID');
  // A platform's key may be used once only; those of CAs and signers are used for all.
  if (role !== 'pck') key.check();
  return { certificate, role, key, anchor: issuer.anchor, issuer };
}

function checkSignature(certificate: Certificate, key: P256PublicKey): void {
  if (!key.verify(certificate.tbs, certificate.signature)) {
    throw new DcapError('CERT_SIGNATURE_INVALID', `"${certificate.commonName}" is not signed by its issuer`);
  }
}

/** A certificate of a chain that is not verified yet, or one that the store knows. */
interface ChainMember {
  readonly block: PemBlock;
  readonly certificate: Certificate;
  readonly role: CertificateRole | undefined;
}

function membersOf(
  blocks: readonly PemBlock[],
  store: TrustStore,
  length: number,
  what: string,
): ChainMember[] {
  if (blocks.length !== length) {
    throw new DcapError(
      'CERT_CHAIN_LENGTH',
      `the ${what} has ${blocks.length} certificates instead of ${length}`,
    );
  }
  return blocks.map((block) => {
    const certificate = store.parse(block);
    return { block, certificate, role: claimedRole(certificate) };
  });
}

/** The only member with one of the roles; a chain may come in any order. */
function single(
  members: readonly ChainMember[],
  roles: readonly CertificateRole[],
): ChainMember & { role: CertificateRole } {
  const found = members.filter(({ role }) => role !== undefined && roles.includes(role));
  const [only] = found;
  if (only?.role === undefined || found.length !== 1) {
    throw new DcapError(
      'CERT_ROLE_INVALID',
      `the chain has not exactly one ${roles.join(' or ')} certificate`,
    );
  }
  return { ...only, role: only.role };
}

/** Verifies a chain of two, root and one of `roles`, in any order. */
export function trustPair(
  blocks: readonly PemBlock[],
  roles: readonly CertificateRole[],
  store: TrustStore,
  what: string,
): TrustedCertificate {
  const members = membersOf(blocks, store, 2, what);
  const root = single(members, ['root']);
  const other = single(members, roles);
  return store.trustIssued(
    other.certificate,
    other.block,
    other.role,
    store.trustRoot(root.certificate, root.block),
  );
}

/** Verifies a PCK chain of three, in any order; the leaf is not remembered. */
export function trustPckChain(blocks: readonly PemBlock[], store: TrustStore): TrustedCertificate {
  const members = membersOf(blocks, store, 3, 'PCK chain');
  const root = single(members, ['root']);
  const ca = single(members, ['platform-ca', 'processor-ca']);
  const leaf = single(members, ['pck']);
  const trustedRoot = store.trustRoot(root.certificate, root.block);
  const trustedCa = store.trustIssued(ca.certificate, ca.block, ca.role, trustedRoot);
  return verifyIssued(leaf.certificate, 'pck', trustedCa);
}
