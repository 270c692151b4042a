import { createPublicKey, hash } from 'node:crypto';
import type { JsonWebKey, KeyObject } from 'node:crypto';
import { checkEd25519Point, checkX25519Point } from './edwards-points.js';
import { curvePointToJwk, jwkToSpki, rsaSpki } from './jwk.js';
import type { PublicJwk } from './jwk.js';
import { CURVES, keyKindOf, MAX_SPKI_BYTES, RSA_LIMITS } from './key-kinds.js';
import type { CurveFormat, KeyKind } from './key-kinds.js';
import { PkiError } from './pki-error.js';

/**
 * An accepted public key: strictly encoded, of an allowed kind and size, a valid point of its curve. Made once per
 * request and then handed to leaf issuance, sealing and token binding, so that the key is imported once.
 */
export class PublicKey {
  #jwk: PublicJwk | undefined;
  #thumbprint: string | undefined;

  private constructor(
    readonly kind: KeyKind,
    /** DER SubjectPublicKeyInfo in its one canonical encoding. */
    readonly spki: Buffer,
    /** The key as node:crypto takes it. */
    readonly keyObject: KeyObject,
    /** Content of the BIT STRING: the point, or the RSAPublicKey. */
    private readonly bits: Buffer,
  ) {}

  /**
   * Accepts DER SubjectPublicKeyInfo. Throws KEY_MALFORMED, KEY_NOT_CANONICAL, KEY_UNSUPPORTED, KEY_WEAK or
   * KEY_NOT_ON_CURVE.
   */
  static fromSpki(der: Uint8Array): PublicKey {
    if (der.length > MAX_SPKI_BYTES)
      throw new PkiError('KEY_MALFORMED', `more than ${MAX_SPKI_BYTES} octets`);
    // A copy, because the caller's memory may be reused (a pooled request buffer).
    const spki = Buffer.from(der);
    const curve = curveOf(spki);
    if (curve === undefined) return rsaOrRefuse(spki, (bits, key) => new PublicKey('RSA', spki, key, bits));
    const point = spki.subarray(curve.prefix.length);
    if (curve.kind === 'Ed25519') checkEd25519Point(point);
    if (curve.kind === 'X25519') checkX25519Point(point);
    if (curve.kty === 'EC' && point[0] !== 0x04)
      throw new PkiError('KEY_NOT_CANONICAL', 'the point is not uncompressed');
    const key = tryImport(spki);
    // The DER around the point is the constant prefix: all that OpenSSL can object to is the point.
    if (key === undefined) throw new PkiError('KEY_NOT_ON_CURVE', curve.kind);
    return new PublicKey(curve.kind, spki, key, point);
  }

  /** Accepts a public JWK; throws JWK_PRIVATE, JWK_MALFORMED and what {@link PublicKey.fromSpki} throws. */
  static fromJwk(jwk: unknown): PublicKey {
    return PublicKey.fromSpki(jwkToSpki(jwk));
  }

  /** Accepts a public or private KeyObject by its public part. */
  static fromKeyObject(key: KeyObject): PublicKey {
    if (key.type === 'secret') throw new PkiError('KEY_UNSUPPORTED', 'a symmetric key');
    const publicKey = key.type === 'private' ? createPublicKey(key) : key;
    return PublicKey.fromSpki(publicKey.export({ type: 'spki', format: 'der' }));
  }

  /** The JWK with exactly the required members (RFC 7638 §3.2), in a new object each time. */
  get jwk(): PublicJwk {
    if (this.#jwk === undefined) {
      if (this.kind === 'RSA') {
        const { n, e } = this.keyObject.export({ format: 'jwk' }) as { n: string; e: string };
        this.#jwk = { kty: 'RSA', n, e };
      } else this.#jwk = curvePointToJwk(CURVES[this.kind], this.bits);
    }
    return { ...this.#jwk };
  }

  /** RFC 7638 SHA-256 thumbprint, base64url: the kid, and `cnf.jkt` (RFC 9449 §6.1). */
  get thumbprint(): string {
    this.#thumbprint ??= hash('sha256', canonicalJwk(this.jwk), 'base64url');
    return this.#thumbprint;
  }

  /** SHA-256 of the SPKI DER, the value that `sha256-spki` evidence carries in report_data. */
  get spkiSha256(): Buffer {
    return hash('sha256', this.spki, 'buffer');
  }

  /** Subject key identifier: leftmost 160 bits of SHA-256 over the BIT STRING's value (RFC 7093 §2, method 1). */
  get keyIdentifier(): Buffer {
    return hash('sha256', this.bits, 'buffer').subarray(0, 20);
  }

  /** Whether the key can sign (TLS certificates, JWS, DPoP). */
  get canSign(): boolean {
    return this.kind !== 'X25519';
  }

  /** Whether data can be sealed to the key (JWE). */
  get canReceive(): boolean {
    return this.kind !== 'Ed25519';
  }
}

/** The members that RFC 7638 §3.2 hashes, in lexicographic order. */
function canonicalJwk(jwk: PublicJwk): string {
  if (jwk.kty === 'RSA') return `{"e":"${jwk.e}","kty":"RSA","n":"${jwk.n}"}`;
  const y = jwk.y === undefined ? '' : `,"y":"${jwk.y}"`;
  return `{"crv":"${jwk.crv}","kty":"${jwk.kty}","x":"${jwk.x}"${y}}`;
}

function curveOf(spki: Buffer): CurveFormat | undefined {
  for (const curve of CURVE_LIST) {
    const length = curve.prefix.length;
    if (spki.length === length + curve.pointBytes && spki.compare(curve.prefix, 0, length, 0, length) === 0)
      return curve;
  }
  return undefined;
}

const CURVE_LIST = Object.values(CURVES);

function tryImport(spki: Buffer): KeyObject | undefined {
  try {
    // As PEM: Node probes an object with bytes for being a key already, which costs as much as the import itself.
    return createPublicKey(
      `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`,
    );
  } catch {
    return undefined;
  }
}

function rsaOrRefuse(spki: Buffer, accept: (bits: Buffer, key: KeyObject) => PublicKey): PublicKey {
  const key = tryImport(spki);
  if (key === undefined) throw new PkiError('KEY_MALFORMED');
  const type = key.asymmetricKeyType;
  if (type !== 'rsa') {
    const kind = keyKindOf(key);
    if (kind !== undefined) throw new PkiError('KEY_NOT_CANONICAL', kind);
    throw new PkiError('KEY_UNSUPPORTED', key.asymmetricKeyDetails?.namedCurve ?? type);
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_LIMITS.minBits) throw new PkiError('KEY_WEAK', `RSA of ${modulusLength} bits`);
  if (modulusLength > RSA_LIMITS.maxBits)
    throw new PkiError('KEY_UNSUPPORTED', `RSA of ${modulusLength} bits`);
  if (
    publicExponent < RSA_LIMITS.minExponent ||
    publicExponent > RSA_LIMITS.maxExponent ||
    publicExponent % 2n === 0n
  ) {
    throw new PkiError('KEY_WEAK', 'RSA exponent');
  }
  const jwk: JsonWebKey = key.export({ format: 'jwk' });
  const n = Buffer.from(jwk.n ?? '', 'base64url');
  if (((n.at(-1) ?? 0) & 1) === 0) throw new PkiError('KEY_WEAK', 'RSA modulus is even');
  const canonical = rsaSpki(n, Buffer.from(jwk.e ?? '', 'base64url'));
  if (!canonical.equals(spki)) throw new PkiError('KEY_NOT_CANONICAL', 'RSA');
  // SEQUENCE header (4), AlgorithmIdentifier (15), BIT STRING header with its unused-bits octet (5).
  return accept(spki.subarray(24), key);
}
