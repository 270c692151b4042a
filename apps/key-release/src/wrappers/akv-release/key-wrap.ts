import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto';
import type { PublicKey } from '#pki';

/** Hash of OAEP and of MGF1, by the names that Key Vault has for the wrapping (`enc` of a release). */
export const WRAPPINGS = {
  CKM_RSA_AES_KEY_WRAP: 'sha1',
  RSA_AES_KEY_WRAP_256: 'sha256',
  RSA_AES_KEY_WRAP_384: 'sha384',
} as const;
export type Wrapping = keyof typeof WRAPPINGS;
export const DEFAULT_WRAPPING: Wrapping = 'CKM_RSA_AES_KEY_WRAP';

/** Alternative initial value of RFC 5649 §3. */
const KWP_INITIAL_VALUE = Buffer.from('A65959A6', 'hex');

/**
 * RSA-OAEP(key, fresh AES-256 key) ‖ AES-KWP(AES key, material): PKCS#11 v3.0 CKM_RSA_AES_KEY_WRAP §2.1.21. The first part is as long as the modulus.
 */
export function wrapKey(key: PublicKey, material: Buffer, wrapping: Wrapping): Buffer {
  const aes = randomBytes(32);
  try {
    const wrappedAes = publicEncrypt(
      {
        key: key.keyObject,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: WRAPPINGS[wrapping],
      },
      aes,
    );
    const cipher = createCipheriv('id-aes256-wrap-pad', aes, KWP_INITIAL_VALUE);
    return Buffer.concat([wrappedAes, cipher.update(material), cipher.final()]);
  } finally {
    aes.fill(0);
  }
}
