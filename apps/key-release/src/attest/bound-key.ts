import { type AttestRequest, SiegelError } from '#contracts';
import { PkiError, PublicKey } from '#pki';

/** The caller's public key, strictly checked. @throws SiegelError PUBLIC_KEY_INVALID */
export function boundKey({ jwk, spki }: AttestRequest['publicKey']): PublicKey {
  try {
    if (jwk) {
      // Only the members that make the key; a caller's kid, use or alg change nothing.
      const { kid: _kid, use: _use, alg: _alg, key_ops: _ops, ...members } = jwk;
      return PublicKey.fromJwk(members);
    }
    return PublicKey.fromSpki(Buffer.from(spki ?? '', 'base64url'));
  } catch (error) {
    if (error instanceof PkiError) {
      throw new SiegelError('PUBLIC_KEY_INVALID', {
        detail: error.message,
        reason: { code: error.code, message: error.message },
        cause: error,
      });
    }
    throw error;
  }
}
