import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

export const KEY_FORMATS = ['pkcs8', 'jwk', 'raw'] as const;
export type KeyFormat = (typeof KEY_FORMATS)[number];

/** A key as it is released: PKCS#8 DER of an RSA or EC key, or the bytes of a symmetric one. */
export interface KeyMaterial {
  readonly kty: 'RSA' | 'EC' | 'oct';
  readonly bytes: Buffer;
  /** `n` and `e`, or `crv`, `x` and `y`; none of a symmetric key. */
  readonly publicMembers: Readonly<Record<string, string>>;
}

/** What the vault holds is not a key of the stated format. */
export class KeyMaterialError extends Error {
  override readonly name = 'KeyMaterialError';
}

/** Key Vault's own bound of a symmetric key. */
const MAX_SYMMETRIC_BYTES = 64;

/**
 * Reads the secret that holds a key.
 * @param format `pkcs8`: PEM or DER of a private key; `jwk`: a private JSON Web Key; `raw`: the bytes of a symmetric key
 * @throws KeyMaterialError, without anything of the key in its message
 */
export function readKeyMaterial(secret: Buffer, format: KeyFormat): KeyMaterial {
  if (format === 'raw') return symmetric(Buffer.from(secret));
  if (format === 'jwk') {
    const jwk = parseJwk(secret);
    if (jwk.kty === 'oct') return symmetric(Buffer.from(jwk.k ?? '', 'base64url'));
    return asymmetric(() => createPrivateKey({ key: jwk, format: 'jwk' }));
  }
  const text = secret.subarray(0, 11).toString('latin1');
  return asymmetric(() =>
    text.startsWith('-----BEGIN ')
      ? createPrivateKey(secret)
      : createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' }),
  );
}

function symmetric(bytes: Buffer): KeyMaterial {
  if (bytes.length === 0 || bytes.length > MAX_SYMMETRIC_BYTES)
    throw new KeyMaterialError(`a symmetric key has 1 to ${MAX_SYMMETRIC_BYTES} bytes`);
  return { kty: 'oct', bytes, publicMembers: {} };
}

function asymmetric(importKey: () => KeyObject): KeyMaterial {
  let key: KeyObject;
  try {
    key = importKey();
  } catch {
    throw new KeyMaterialError('the secret is not a private key of the stated format');
  }
  const { kty, n, e, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  const bytes = key.export({ format: 'der', type: 'pkcs8' });
  if (kty === 'RSA') return { kty, bytes, publicMembers: { n: n!, e: e! } };
  if (kty === 'EC')
    // Key Vault's name of the curve.
    return { kty, bytes, publicMembers: { crv: crv === 'secp256k1' ? 'P-256K' : crv!, x: x!, y: y! } };
  throw new KeyMaterialError('only RSA, EC and symmetric keys can be released');
}

function parseJwk(secret: Buffer): JsonWebKey {
  let jwk: unknown;
  try {
    jwk = JSON.parse(secret.toString('utf8'));
  } catch {
    throw new KeyMaterialError('the secret is not a JSON Web Key');
  }
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk))
    throw new KeyMaterialError('the secret is not a JSON Web Key');
  return jwk as JsonWebKey;
}
