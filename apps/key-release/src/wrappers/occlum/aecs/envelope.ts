import {
  constants,
  createCipheriv,
  createSecretKey,
  hash,
  publicEncrypt,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { writeFields } from '../protobuf.js';

/** `DigitalEnvelopeEncrypted` (jinzhao-attest, crypto.proto and envelope.cpp). */
export interface Envelope {
  readonly aesCipher: {
    readonly cipher: Buffer;
    readonly mac: Buffer;
    readonly aad: Buffer;
    readonly iv: Buffer;
  };
  readonly encryptedKey: Buffer;
  /** SHA-256 of the plain text as upper-case hexadecimal digits. */
  readonly plainHash: Buffer;
  readonly plainHashSignature: Buffer;
}

/** What stands in the additional data of an envelope that has no nonce: the name that upstream gives it. */
const ENVELOPE_NAME = 'Enclave';

const signed = promisify(sign);

/** RSA PKCS #1 v1.5 with SHA-256, off the event loop. */
export const signRsa = (text: Uint8Array, key: KeyObject): Promise<Buffer> => signed('sha256', text, key);

/**
 * Seals a text to the client's attested key and signs its hash: AES-256-GCM, its key by RSA-OAEP with SHA-1, and a signature of the
 * server. The client opens it by that order and believes any server key, so that the signature proves the sender to nobody.
 *
 * @param nonce the request's; the client compares it with the additional data
 */
export async function seal(
  plain: Buffer,
  client: KeyObject,
  server: KeyObject,
  nonce: string,
): Promise<Envelope> {
  const key = randomBytes(32);
  const iv = randomBytes(12);
  const aad = Buffer.from(nonce === '' ? ENVELOPE_NAME : nonce);
  // As a KeyObject: Node probes plain bytes for being one, which costs more than the encryption.
  const aes = createCipheriv('aes-256-gcm', createSecretKey(key), iv);
  aes.setAAD(aad);
  const cipher = Buffer.concat([aes.update(plain), aes.final()]);
  const encryptedKey = publicEncrypt(
    { key: client, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
    key,
  );
  key.fill(0);
  const plainHash = Buffer.from(hash('sha256', plain, 'hex').toUpperCase());
  return {
    aesCipher: { cipher, mac: aes.getAuthTag(), aad, iv },
    encryptedKey,
    plainHash,
    plainHashSignature: await signRsa(plainHash, server),
  };
}

export function envelopeMessage({
  aesCipher,
  encryptedKey,
  plainHash,
  plainHashSignature,
}: Envelope): Buffer {
  const { cipher, mac, aad, iv } = aesCipher;
  return writeFields(
    [1, writeFields([1, cipher], [2, mac], [3, aad], [4, iv])],
    [2, encryptedKey],
    [3, plainHash],
    [4, plainHashSignature],
  );
}

/** The same in protobuf's JSON, with the names of the .proto file, which its parsers take as well as camel case. */
export function envelopeJson({ aesCipher, encryptedKey, plainHash, plainHashSignature }: Envelope): object {
  const { cipher, mac, aad, iv } = aesCipher;
  const base64 = (bytes: Buffer): string => bytes.toString('base64');
  return {
    aes_cipher: { cipher: base64(cipher), mac: base64(mac), aad: base64(aad), iv: base64(iv) },
    encrypted_key: base64(encryptedKey),
    plain_hash: base64(plainHash),
    plain_hash_sig: base64(plainHashSignature),
  };
}
