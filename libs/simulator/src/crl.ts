import { bitString, context, enumerated, integer, sequence, time } from './der-writer.js';
import {
  authorityKeyIdExtension,
  ECDSA_WITH_SHA256,
  encodeExtension,
  EXTENSION_OIDS,
  type Extension,
  type IssuedCertificate,
} from './certificate.js';
import { signatureToDer, type P256Key } from './p256-key.js';

export interface RevokedSerial {
  serial: Buffer;
  /** Defaults to the list's thisUpdate. */
  date?: Date;
  /** CRLReason (RFC 5280 §5.3.1); Intel uses 1, keyCompromise. `null` leaves the entry extension out. */
  reason?: number | null;
  extensions?: Extension[];
}

/** All that makes a certificate revocation list. */
export interface CrlProfile {
  /** Version as encoded: 1 means v2. `null` leaves the field out. */
  version: number | null;
  issuer: Buffer;
  thisUpdate: Date;
  /** `null` leaves nextUpdate out. */
  nextUpdate: Date | null;
  revoked: RevokedSerial[];
  extensions: Extension[];
  innerAlgorithm: Buffer;
  outerAlgorithm: Buffer;
  signer: P256Key;
  editTbs?: (tbs: Buffer) => Buffer;
  editSignature?: (signature: Buffer) => Buffer;
}

export const crlNumberExtension = (number: number): Extension => ({
  oid: EXTENSION_OIDS.crlNumber,
  value: integer(number),
});

/** What a CA of this PKI states about the certificates that it issued. */
export function crlProfile(
  ca: IssuedCertificate,
  options: { thisUpdate: Date; nextUpdate: Date; number: number; revoked?: RevokedSerial[] },
): CrlProfile {
  return {
    version: 1,
    issuer: ca.profile.subject,
    thisUpdate: options.thisUpdate,
    nextUpdate: options.nextUpdate,
    revoked: options.revoked ?? [],
    extensions: [crlNumberExtension(options.number), authorityKeyIdExtension(ca.key.keyId)],
    innerAlgorithm: ECDSA_WITH_SHA256,
    outerAlgorithm: ECDSA_WITH_SHA256,
    signer: ca.key,
  };
}

/** Builds and signs a CRL (RFC 5280 §5.1); returns its DER. */
export function issueCrl(profile: CrlProfile): Buffer {
  const entries = profile.revoked.map((entry) => {
    const extensions = [
      ...(entry.reason === null
        ? []
        : [{ oid: EXTENSION_OIDS.crlReason, value: enumerated(entry.reason ?? 1) }]),
      ...(entry.extensions ?? []),
    ];
    return sequence(
      integer(entry.serial),
      time(entry.date ?? profile.thisUpdate),
      ...(extensions.length === 0 ? [] : [sequence(...extensions.map(encodeExtension))]),
    );
  });
  const built = sequence(
    ...(profile.version === null ? [] : [integer(profile.version)]),
    profile.innerAlgorithm,
    profile.issuer,
    time(profile.thisUpdate),
    ...(profile.nextUpdate === null ? [] : [time(profile.nextUpdate)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    ...(profile.extensions.length === 0
      ? []
      : [context(0, sequence(...profile.extensions.map(encodeExtension)))]),
  );
  const tbs = profile.editTbs?.(built) ?? built;
  const signature = signatureToDer(profile.signer.signDeterministic(tbs));
  return sequence(tbs, profile.outerAlgorithm, bitString(profile.editSignature?.(signature) ?? signature));
}
