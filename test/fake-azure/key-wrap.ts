import {
  constants,
  createCipheriv,
  createPublicKey,
  publicEncrypt,
  randomBytes,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { badParameter } from './wire.js';

/** Hash of OAEP and MGF1 by the names that Key Vault knows (`enc` of a release). */
const OAEP_HASH: Readonly<Record<string, string>> = {
  CKM_RSA_AES_KEY_WRAP: 'sha1',
  RSA_AES_KEY_WRAP_256: 'sha256',
  RSA_AES_KEY_WRAP_384: 'sha384',
};

/** The alternative initial value of RFC 5649. */
const KWP_IV = Buffer.from('A65959A6', 'hex');

export const DEFAULT_WRAP = 'CKM_RSA_AES_KEY_WRAP';

/**
 * RSA-OAEP(KEK, fresh AES-256 key) ‖ AES-KWP(AES key, material), as PKCS#11's CKM_RSA_AES_KEY_WRAP; the first part is
 * exactly as long as the modulus.
 * @throws KeyVaultError 400 for an unknown algorithm
 */
export function wrapForRelease(kek: KeyObject, material: Buffer, algorithm: string): Buffer {
  const oaepHash = OAEP_HASH[algorithm];
  if (oaepHash === undefined) throw badParameter(`Invalid value for enc: ${algorithm.slice(0, 40)}.`);
  const aesKey = randomBytes(32);
  const wrappedKey = publicEncrypt({ key: kek, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, aesKey);
  const cipher = createCipheriv('id-aes256-wrap-pad', aesKey, KWP_IV);
  return Buffer.concat([wrappedKey, cipher.update(material), cipher.final()]);
}

export interface EncryptionKey {
  readonly kid: string;
  readonly key: KeyObject;
}

/**
 * The key of the attested party among the claims of its token: the first RSA key with a `kid` that is meant for encryption, in
 * `x-ms-runtime.keys`, or in a JWKS that was held data (`x-ms-sgx-ehd`, `maa-ehd`).
 */
export function encryptionKeyOf(claims: Readonly<Record<string, unknown>>): EncryptionKey | undefined {
  const runtime = claims['x-ms-runtime'] as { keys?: unknown } | undefined;
  const sets = [runtime?.keys, heldKeys(claims['x-ms-sgx-ehd']), heldKeys(claims['maa-ehd'])];
  for (const keys of sets) {
    for (const jwk of Array.isArray(keys) ? (keys as Record<string, unknown>[]) : []) {
      if (jwk === null || typeof jwk !== 'object' || jwk['kty'] !== 'RSA' || typeof jwk['kid'] !== 'string')
        continue;
      if (!isForEncryption(jwk)) continue;
      try {
        return { kid: jwk['kid'], key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }) };
      } catch {
        continue;
      }
    }
  }
  return undefined;
}

function isForEncryption(jwk: Record<string, unknown>): boolean {
  const operations = jwk['key_ops'];
  return (
    jwk['key_use'] === 'enc' ||
    jwk['use'] === 'enc' ||
    operations === 'encrypt' ||
    (Array.isArray(operations) && operations.includes('encrypt'))
  );
}

function heldKeys(held: unknown): unknown {
  if (typeof held !== 'string' || held.length > 65_536) return undefined;
  try {
    return (JSON.parse(Buffer.from(held, 'base64url').toString()) as { keys?: unknown } | null)?.keys;
  } catch {
    return undefined;
  }
}
