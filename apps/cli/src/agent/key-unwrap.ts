import { constants, createDecipheriv, createPrivateKey, type KeyObject, privateDecrypt } from 'node:crypto';
import { AgentError } from './agent-error.js';
import type { ReleaseAnswer } from './release-answer.js';

/** Hash of OAEP and of MGF1 by the wrapping's name. */
const HASHES: Readonly<Record<string, string>> = {
  CKM_RSA_AES_KEY_WRAP: 'sha1',
  RSA_AES_KEY_WRAP_256: 'sha256',
  RSA_AES_KEY_WRAP_384: 'sha384',
};
/** RFC 5649 §3. */
const KWP_INITIAL_VALUE = Buffer.from('A65959A6', 'hex');

/** Opens a release with the private key that the token vouched for; gives a private JWK. @throws AgentError RELEASE_UNTRUSTED */
export function unwrapKey(
  { enc, kty, keyOps, ciphertext }: ReleaseAnswer,
  key: KeyObject,
): Record<string, unknown> {
  const oaepHash = HASHES[enc];
  const modulusBytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  if (oaepHash === undefined || ciphertext.length <= modulusBytes)
    throw new AgentError('RELEASE_UNTRUSTED', 'the key is wrapped in a way that is not known');
  let material: Buffer | undefined;
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    const aes = privateDecrypt({ key, padding, oaepHash }, ciphertext.subarray(0, modulusBytes));
    const decipher = createDecipheriv('id-aes256-wrap-pad', aes, KWP_INITIAL_VALUE);
    material = Buffer.concat([decipher.update(ciphertext.subarray(modulusBytes)), decipher.final()]);
    aes.fill(0);
    return { ...jwkOf(kty, material), key_ops: keyOps };
  } catch (error) {
    throw new AgentError('RELEASE_UNTRUSTED', 'the key cannot be unwrapped', { cause: error });
  } finally {
    material?.fill(0);
  }
}

function jwkOf(kty: string, material: Buffer): object {
  if (/^oct(?:-HSM)?$/.test(kty)) return { kty: 'oct', k: material.toString('base64url') };
  return createPrivateKey({ key: material, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
}
