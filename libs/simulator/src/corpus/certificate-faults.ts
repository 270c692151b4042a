import type { DcapErrorCode } from '#dcap';
import {
  authorityKeyIdExtension,
  basicConstraintsExtension,
  EXTENSION_OIDS,
  intelName,
  KEY_USAGE,
  keyUsageExtension,
  reissue,
  type CertificateProfile,
  type Extension,
  type IssuedCertificate,
} from '../certificate.js';
import { bitString, boolean, integer, octetString, oid, sequence } from '../der-writer.js';
import { p256Spki, type P256Key } from '../p256-key.js';
import { flipped } from './evidence.js';

/** One thing that is wrong with a certificate whatever its place in a chain; the signature is by its proper issuer. */
export interface CertificateFault {
  what: string;
  code: DcapErrorCode;
  edit(certificate: IssuedCertificate, at: Date): IssuedCertificate;
}

const fault = (
  what: string,
  code: DcapErrorCode,
  changes: (profile: CertificateProfile, at: Date) => Partial<CertificateProfile>,
): CertificateFault => ({
  what,
  code,
  edit: (certificate, at) => reissue(certificate, changes(certificate.profile, at)),
});

const DAY = 86_400_000;
const without = (extensions: Extension[], id: string): Extension[] =>
  extensions.filter((each) => each.oid !== id);
export const replaced = (extensions: Extension[], other: Extension): Extension[] =>
  extensions.map((each) => (each.oid === other.oid ? other : each));

const ECDSA_WITH_SHA384 = sequence(oid('1.2.840.10045.4.3.3'));
const P384_SPKI = sequence(
  sequence(oid('1.2.840.10045.2.1'), oid('1.3.132.0.34')),
  bitString(Buffer.concat([Buffer.from([4]), Buffer.alloc(96, 7)])),
);
const compressedSpki = (point: Buffer): Buffer =>
  sequence(
    sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')),
    bitString(Buffer.concat([Buffer.from([2]), point.subarray(0, 32)])),
  );

/** Faults of validity, encoding and content that every certificate of every chain can have. */
export const COMMON_FAULTS: CertificateFault[] = [
  fault('expired yesterday', 'CERT_EXPIRED', (_, at) => ({ notAfter: new Date(at.getTime() - DAY) })),
  fault('expired a second ago', 'CERT_EXPIRED', (_, at) => ({ notAfter: new Date(at.getTime() - 1000) })),
  fault('valid from tomorrow', 'CERT_NOT_YET_VALID', (_, at) => ({
    notBefore: new Date(at.getTime() + DAY),
  })),
  fault('valid in a second', 'CERT_NOT_YET_VALID', (_, at) => ({ notBefore: new Date(at.getTime() + 1000) })),
  fault('version 1', 'DER_INVALID', () => ({ version: null })),
  fault('version 2', 'CERT_INVALID', () => ({ version: 1 })),
  fault('signature algorithm SHA-384 inside and outside', 'CERT_INVALID', () => ({
    innerAlgorithm: ECDSA_WITH_SHA384,
    outerAlgorithm: ECDSA_WITH_SHA384,
  })),
  fault('signature algorithm SHA-384 outside only', 'CERT_INVALID', () => ({
    outerAlgorithm: ECDSA_WITH_SHA384,
  })),
  fault('signature algorithm SHA-384 inside only', 'CERT_INVALID', () => ({
    innerAlgorithm: ECDSA_WITH_SHA384,
  })),
  fault('a P-384 key', 'CERT_INVALID', () => ({ spki: P384_SPKI })),
  fault('a compressed key', 'CERT_INVALID', (profile) => ({ spki: compressedSpki(profile.signer.point) })),
  fault('a serial number of 21 bytes', 'DER_INVALID', () => ({ serial: Buffer.alloc(21, 0x11) })),
  fault('an extension twice', 'CERT_INVALID', ({ extensions }) => ({
    extensions: [...extensions, extensions[2] as Extension],
  })),
  fault('an unknown critical extension', 'CERT_INVALID', ({ extensions }) => ({
    extensions: [...extensions, { oid: '1.2.3.4.5', critical: true, value: boolean(true) }],
  })),
  fault('no extensions', 'DER_INVALID', () => ({ extensions: [] })),
  fault('an extension that says FALSE for its default', 'DER_INVALID', ({ extensions }) => ({
    extensions,
    editTbs: (tbs) => {
      // The critical flag of KeyUsage: TRUE becomes FALSE, which DER leaves out.
      const at = tbs.indexOf(Buffer.concat([oid(EXTENSION_OIDS.keyUsage), boolean(true)]));
      return flipped(tbs, at + 7, 0xff);
    },
  })),
  ...(['authorityKeyId', 'crlDistributionPoints', 'subjectKeyId', 'keyUsage'] as const).map((name) =>
    fault(
      `no ${name}`,
      name === 'keyUsage' ? 'CERT_CONSTRAINTS_INVALID' : 'CERT_INVALID',
      ({ extensions }) => ({
        extensions: without(extensions, EXTENSION_OIDS[name]),
      }),
    ),
  ),
  fault('a signature that is not DER', 'DER_INVALID', () => ({
    editSignature: () => Buffer.alloc(70, 0x30),
  })),
  fault('a signature with bytes after it', 'DER_INVALID', () => ({
    editSignature: (signature) => Buffer.concat([signature, Buffer.alloc(1)]),
  })),
  fault('a signature of one integer', 'DER_INVALID', () => ({ editSignature: () => sequence(integer(5)) })),
  fault('a signature of 33-byte integers', 'DER_INVALID', () => ({
    editSignature: () => sequence(integer(Buffer.alloc(33, 1)), integer(Buffer.alloc(33, 1))),
  })),
  fault('a changed signature', 'CERT_SIGNATURE_INVALID', () => ({
    editSignature: (signature) => flipped(signature, -1),
  })),
  fault('a zero signature', 'CERT_SIGNATURE_INVALID', () => ({
    editSignature: () => sequence(integer(0), integer(0)),
  })),
];

/** What disqualifies a certificate authority. */
export const AUTHORITY_FAULTS: CertificateFault[] = [
  fault('no basicConstraints', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: without(extensions, EXTENSION_OIDS.basicConstraints),
  })),
  fault('no CA', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, basicConstraintsExtension(false)),
  })),
  fault('no path length', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, basicConstraintsExtension({})),
  })),
  fault('key usage without keyCertSign', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, keyUsageExtension(KEY_USAGE.crlSign)),
  })),
  fault('key usage without cRLSign', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, keyUsageExtension(KEY_USAGE.keyCertSign)),
  })),
];

const pathLength = (length: number): CertificateFault =>
  fault(`path length ${length}`, 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, basicConstraintsExtension({ pathLength: length })),
  }));

/** A CA below the root certifies end entities alone; the root needs room for it. */
export const INTERMEDIATE_FAULTS: CertificateFault[] = [...AUTHORITY_FAULTS, pathLength(1), pathLength(255)];
export const ROOT_FAULTS: CertificateFault[] = [...AUTHORITY_FAULTS, pathLength(0)];

/** What disqualifies an end entity. */
export const END_ENTITY_FAULTS: CertificateFault[] = [
  fault('no basicConstraints', 'CERT_INVALID', ({ extensions }) => ({
    extensions: without(extensions, EXTENSION_OIDS.basicConstraints),
  })),
  fault('a CA', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, basicConstraintsExtension({ pathLength: 0 })),
  })),
  fault('key usage without digitalSignature', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, keyUsageExtension(KEY_USAGE.nonRepudiation)),
  })),
  fault('key usage to sign certificates', 'CERT_CONSTRAINTS_INVALID', ({ extensions }) => ({
    extensions: replaced(extensions, keyUsageExtension(KEY_USAGE.keyCertSign, KEY_USAGE.crlSign)),
  })),
];

const subject = (what: string, name: Buffer): CertificateFault =>
  fault(what, 'CERT_ROLE_INVALID', () => ({ subject: name }));

/** An end entity under a name that is not its role's. */
export const namesOtherThan = (commonName: string): CertificateFault[] => [
  subject('another common name', intelName('Intel SGX Something')),
  subject('its name with a suffix', intelName(`${commonName} 2`)),
  subject('another organization', intelName(commonName, 'Intel Corporation Ltd')),
  subject('the name of the root', intelName('Intel SGX Root CA')),
];

/** A certificate of the same names and key, but signed by a key that is not its issuer's. */
export const signedBy = (certificate: IssuedCertificate, signer: P256Key): IssuedCertificate =>
  reissue(certificate, { signer });

/** The same names and extensions over another key. */
export const withKey = (
  certificate: IssuedCertificate,
  key: P256Key,
  changes: Partial<CertificateProfile> = {},
): IssuedCertificate =>
  reissue(
    certificate,
    {
      spki: p256Spki(key.point),
      extensions: replaced(certificate.profile.extensions, {
        oid: EXTENSION_OIDS.subjectKeyId,
        value: octetString(key.keyId),
      }),
      ...changes,
    },
    key,
  );

/** A whole chain of the same names under a root of one's own. */
export function selfMadeChain(
  chain: IssuedCertificate[],
  key: (label: string) => P256Key,
): IssuedCertificate[] {
  const [root, ...below] = [...chain].reverse();
  if (root === undefined) return [];
  const rootKey = key('own root');
  const made = [
    withKey(root, rootKey, {
      signer: rootKey,
      extensions: [
        ...replaced(replaced(root.profile.extensions, authorityKeyIdExtension(rootKey.keyId)), {
          oid: EXTENSION_OIDS.subjectKeyId,
          value: octetString(rootKey.keyId),
        }),
      ],
    }),
  ];
  for (const [index, certificate] of below.entries()) {
    const issuer = made[index] as IssuedCertificate;
    // The leaf keeps its key, so that everything below the chain stays valid.
    const own = index === below.length - 1 ? certificate.key : key(`own ca ${index}`);
    const extensions = replaced(
      replaced(certificate.profile.extensions, authorityKeyIdExtension(issuer.key.keyId)),
      { oid: EXTENSION_OIDS.subjectKeyId, value: octetString(own.keyId) },
    );
    made.push(reissue(certificate, { spki: own.spki, signer: issuer.key, extensions }, own));
  }
  return made.reverse();
}
