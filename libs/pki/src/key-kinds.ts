import type { KeyObject } from 'node:crypto';

/** The kinds of public key that are accepted anywhere in Siegel. */
export type KeyKind = 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'X25519' | 'RSA';

/** A curve's public key as it stands in SPKI and JWK: constant DER up to the point, then the point. */
export interface CurveFormat {
  readonly kind: Exclude<KeyKind, 'RSA'>;
  readonly kty: 'EC' | 'OKP';
  /** DER of the SubjectPublicKeyInfo up to and including the unused-bits octet of the BIT STRING. */
  readonly prefix: Buffer;
  /** Octets of one coordinate (EC) or of the whole public key (OKP). */
  readonly fieldBytes: number;
  /** Octets of the encoded point: 04‖x‖y for EC (RFC 5480 §2.2), the key itself for OKP (RFC 8410 §4). */
  readonly pointBytes: number;
}

const ec = (kind: CurveFormat['kind'], fieldBytes: number, prefix: string): CurveFormat => ({
  kind,
  kty: 'EC',
  prefix: Buffer.from(prefix, 'hex'),
  fieldBytes,
  pointBytes: 1 + 2 * fieldBytes,
});
const okp = (kind: CurveFormat['kind'], prefix: string): CurveFormat => ({
  kind,
  kty: 'OKP',
  prefix: Buffer.from(prefix, 'hex'),
  fieldBytes: 32,
  pointBytes: 32,
});

export const CURVES: Readonly<Record<CurveFormat['kind'], CurveFormat>> = {
  'P-256': ec('P-256', 32, '3059301306072a8648ce3d020106082a8648ce3d030107034200'),
  'P-384': ec('P-384', 48, '3076301006072a8648ce3d020106052b81040022036200'),
  'P-521': ec('P-521', 66, '30819b301006072a8648ce3d020106052b8104002303818600'),
  Ed25519: okp('Ed25519', '302a300506032b6570032100'),
  X25519: okp('X25519', '302a300506032b656e032100'),
};

export const RSA_LIMITS = {
  minBits: 2048,
  maxBits: 4096,
  minExponent: 65537n,
  maxExponent: 2n ** 32n,
} as const;

/** The largest SPKI accepted, in octets: RSA 4096 takes 552. */
export const MAX_SPKI_BYTES = 600;

/** OpenSSL's names of the accepted NIST curves. */
export const OPENSSL_CURVES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' } as const;

/** The kind of a KeyObject, public or private; undefined for kinds and RSA sizes that are not accepted. */
export function keyKindOf(key: KeyObject): KeyKind | undefined {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return EC_KINDS.find((kind) => OPENSSL_CURVES[kind] === namedCurve);
    case 'ed25519':
      return 'Ed25519';
    case 'x25519':
      return 'X25519';
    case 'rsa':
      return modulusLength >= RSA_LIMITS.minBits && modulusLength <= RSA_LIMITS.maxBits ? 'RSA' : undefined;
    default:
      return undefined;
  }
}

const EC_KINDS = ['P-256', 'P-384', 'P-521'] as const;
