import type { CarrierCertificate } from './carrier-certificate.js';

/** Names of the dialects, stable: they stand in logs and tests. */
export type RaTlsDialectName = 'dice' | 'intel-sdk' | 'gramine' | 'rats-tls' | 'occlum';

/** Which convention the report data follows: a hash of the key itself, or of claims that hold a hash of the key. */
export type RaTlsConvention = 'sha256-spki' | 'dice-claims';

/** What a dialect's extension holds. Views of the certificate; nothing of it is authentic before the quote is verified. */
export interface CarriedEvidence {
  readonly quote: Buffer;
  readonly convention: RaTlsConvention;
  /** The serialized claims exactly as carried (convention `dice-claims`). */
  readonly claims?: Buffer;
  /** Claims besides `pubkey-hash`; covered by the report data like that. */
  readonly customClaims: ReadonlyMap<string, Buffer>;
}

/** How one runtime puts evidence into a certificate. */
export interface RaTlsDialect {
  readonly name: RaTlsDialectName;
  /** X.509 version that its certificates have. */
  readonly version: 1 | 3;
  /** Whether it signs its certificates with SHA-1. */
  readonly sha1: boolean;
  /** Whether the certificate has an extension of this dialect; what is in it does not matter here. */
  present(certificate: CarrierCertificate): boolean;
  /** @throws EvidenceError for an extension that is present but not of the dialect's format */
  read(certificate: CarrierCertificate): CarriedEvidence;
}

export const NO_CLAIMS: ReadonlyMap<string, Buffer> = new Map();
