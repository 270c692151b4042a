import { concatKdf } from '#pki';
import crypto, {
  constants,
  createCipheriv,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { TeeKey } from '../attest/tee-key.js';
import { hasLegacyJwe, type ProtocolVersion } from '../protocol/versions.js';
import { mlKemWrappingKey } from './ml-kem-kdf.js';

/** Node has it since 24.7, its types do not yet. */
const { encapsulate } = crypto as unknown as {
  readonly encapsulate: (key: KeyObject) => { readonly sharedKey: Buffer; readonly ciphertext: Buffer };
};
const ENC = 'A256GCM';
const CEK_BYTES = 32;
const IV_BYTES = 12;
/** RFC 3394 §2.2.3.1. */
const WRAP_IV = Buffer.alloc(8, 0xa6);
const NO_PARTY = Buffer.alloc(0);
const OPENSSL_CURVES = { 'P-256': 'prime256v1', 'P-521': 'secp521r1' } as const;

/** The content key, wrapped to the client's key, and the members of the protected header that say how. */
interface WrappedKey {
  readonly cek: Buffer;
  readonly encryptedKey: Buffer;
  /** Behind `alg` and `enc`, in alphabetical order: the client writes the header again to authenticate it. */
  readonly members: object;
}

/**
 * A resource as the client takes it: JWE in flattened JSON (RFC 7516 §7.2.2), A256GCM under a fresh content key. Every response has
 * keys of its own. For protocol 0.1.1 the older form, whose header is plain text and not authenticated.
 */
export async function sealResource(
  plaintext: Uint8Array,
  key: TeeKey,
  version: ProtocolVersion,
): Promise<string> {
  const { cek, encryptedKey, members } = key.alg === 'ML-KEM-768+A192KW' ? await byKem(key) : byKey(key);
  const header = JSON.stringify({ alg: key.alg, enc: ENC, ...members });
  const legacy = hasLegacyJwe(version);
  const protectedHeader = legacy ? header : Buffer.from(header).toString('base64url');
  const iv = randomBytes(IV_BYTES);
  // As a KeyObject: Node probes plain bytes for being one, which costs more than the encryption.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(cek), iv, { authTagLength: 16 });
  if (!legacy) cipher.setAAD(Buffer.from(protectedHeader, 'latin1'));
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  const tag = cipher.getAuthTag();
  cek.fill(0);
  return JSON.stringify({
    protected: protectedHeader,
    encrypted_key: encryptedKey.toString('base64url'),
    iv: iv.toString('base64url'),
    ciphertext: (legacy ? Buffer.concat([ciphertext, tag]) : ciphertext).toString('base64url'),
    tag: legacy ? '' : tag.toString('base64url'),
  });
}

function byKey({ alg, jwk, keyObject }: TeeKey): WrappedKey {
  const cek = randomBytes(CEK_BYTES);
  if (jwk.kty === 'EC') {
    const ephemeral = generateKeyPairSync('ec', { namedCurve: OPENSSL_CURVES[jwk.crv] });
    const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: keyObject });
    const { crv, kty, x, y } = ephemeral.publicKey.export({ format: 'jwk' });
    const encryptedKey = wrap('id-aes256-wrap', concatKdf(shared, alg, NO_PARTY, NO_PARTY), cek);
    return { cek, encryptedKey, members: { epk: { crv, kty, x, y } } };
  }
  const padding =
    alg === 'RSA1_5'
      ? { padding: constants.RSA_PKCS1_PADDING }
      : { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
  return { cek, encryptedKey: publicEncrypt({ key: keyObject, ...padding }, cek), members: {} };
}

/** draft-ietf-jose-pqc-kem-05 as Trustee reads it; experimental on both sides. */
async function byKem({ alg, keyObject }: TeeKey): Promise<WrappedKey> {
  const { sharedKey, ciphertext } = encapsulate(keyObject);
  const kek = await mlKemWrappingKey(sharedKey, alg);
  const cek = randomBytes(CEK_BYTES);
  const ek = ciphertext.toString('base64url');
  return { cek, encryptedKey: wrap('id-aes192-wrap', kek, cek), members: { ek } };
}

function wrap(cipher: 'id-aes192-wrap' | 'id-aes256-wrap', kek: Buffer, cek: Buffer): Buffer {
  const wrapping = createCipheriv(cipher, createSecretKey(kek), WRAP_IV);
  const wrapped = Buffer.concat([wrapping.update(cek), wrapping.final()]);
  kek.fill(0);
  return wrapped;
}
