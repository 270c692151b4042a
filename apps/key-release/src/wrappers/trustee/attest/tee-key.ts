import { SiegelError } from '#contracts';
import { readTrusteeKey, trusteeKeySpki, type TrusteeKey } from '#evidence';
import { isPkiError, PublicKey } from '#pki';
import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { hasLegacyJwe, type ProtocolVersion } from '../protocol/versions.js';

/** The algorithms of JWE that clients ask for, with the kinds of key that they go with. */
export const KEY_ALGORITHMS = {
  EC: ['ECDH-ES+A256KW'],
  RSA: ['RSA-OAEP-256', 'RSA1_5'],
  AKP: ['ML-KEM-768+A192KW'],
} as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[keyof typeof KEY_ALGORITHMS][number];

/** The key to which a client's resources are sealed: made in its enclave, bound by its report data. */
export class TeeKey {
  private constructor(
    readonly jwk: TrusteeKey,
    readonly alg: KeyAlgorithm,
    readonly keyObject: KeyObject,
    /** RFC 7638 (and draft-ietf-cose-dilithium for AKP). */
    readonly thumbprint: string,
  ) {}

  /** Not kept: a session would hold on to the whole block of memory that such small buffers are cut from. */
  get spki(): Buffer {
    return trusteeKeySpki(this.jwk);
  }

  /** @throws SiegelError PUBLIC_KEY_INVALID */
  static read(jwk: unknown, version: ProtocolVersion): TeeKey {
    const key = readTrusteeKey(jwk);
    if (key === undefined) {
      throw refused(
        'KEY_UNSUPPORTED',
        '"tee-pubkey" is none of: EC on P-256 or P-521 with coordinates of full length, RSA, AKP with ML-KEM-768',
      );
    }
    const known: readonly string[] = hasLegacyJwe(version) ? ['RSA1_5'] : KEY_ALGORITHMS[key.kty];
    if (!known.includes(key.alg))
      throw refused('KEY_ALGORITHM', `"tee-pubkey" must have "alg" ${known.join(' or ')}`);
    const spki = trusteeKeySpki(key);
    const alg = key.alg as KeyAlgorithm;
    if (key.kty === 'AKP') {
      const members = JSON.stringify({ alg: key.alg, kty: key.kty, pub: key.pub });
      return new TeeKey(key, alg, encapsulationKey(spki), hash('sha256', members, 'base64url'));
    }
    try {
      const { keyObject, thumbprint } = PublicKey.fromSpki(spki);
      return new TeeKey(key, alg, keyObject, thumbprint);
    } catch (error) {
      if (isPkiError(error)) throw refused(error.code, error.message);
      throw error;
    }
  }
}

function encapsulationKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    throw refused('KEY_MALFORMED', '"pub" is no encapsulation key of ML-KEM-768');
  }
}

const refused = (code: string, message: string): SiegelError =>
  new SiegelError('PUBLIC_KEY_INVALID', { detail: message, reason: { code, message } });
