import {
  constants,
  createCipheriv,
  createDecipheriv,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { signDigest, verifyDigest } from './digest-signature.js';
import { privateKeyOf, publicKeyOf, type KeyData } from './key-material.js';
import { badParameter, bytesOf, KeyVaultError, stringOf, type JsonObject } from './wire.js';

/** URL name of an operation and the entry of `key_ops` that it needs. */
export const KEY_OPERATIONS = {
  sign: 'sign',
  verify: 'verify',
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  wrapkey: 'wrapKey',
  unwrapkey: 'unwrapKey',
} as const;
export type KeyOperation = keyof typeof KEY_OPERATIONS;

// Operations that produce something new; the others must stay possible for a key outside its window.
const PRODUCING: readonly KeyOperation[] = ['sign', 'encrypt', 'wrapkey'];
const OAEP: Record<string, string> = { 'RSA-OAEP': 'sha1', 'RSA-OAEP-256': 'sha256' };
const AES_GCM = /^A(128|192|256)GCM$/;
const AES_WRAP = /^A(128|192|256)KW$/;

/** One cryptographic operation with a key, answered as Key Vault does. @throws KeyVaultError */
export function runKeyOperation(
  operation: KeyOperation,
  key: KeyData,
  kid: string,
  body: JsonObject,
): JsonObject {
  if (!key.operations.includes(KEY_OPERATIONS[operation])) {
    throw new KeyVaultError(
      403,
      'Forbidden',
      `Operation ${operation} is not permitted on this key.`,
      'KeyOperationForbidden',
    );
  }
  const alg = stringOf(body['alg'], 'alg');
  if (operation === 'verify') {
    const [digest, signature] = [bytesOf(body['digest'], 'digest'), bytesOf(body['value'], 'value')];
    return { value: verifyDigest(key, alg, digest, signature) };
  }
  const value = bytesOf(body['value'], 'value');
  if (operation === 'sign') return { kid, value: signDigest(key, alg, value).toString('base64url') };
  const forward = operation === 'encrypt' || operation === 'wrapkey';
  if (key.kty === 'RSA') return { kid, value: rsa(forward, key, alg, value).toString('base64url') };
  if (key.kty === 'oct' && AES_GCM.test(alg)) return { kid, ...gcm(forward, key, alg, value, body) };
  if (key.kty === 'oct' && AES_WRAP.test(alg))
    return { kid, value: aesWrap(forward, key, alg, value).toString('base64url') };
  throw unsupported(alg, key);
}

/** Whether the window of the key forbids the operation (includes/key-attributes.md: only what produces something new). */
export const windowForbids = (operation: KeyOperation): boolean => PRODUCING.includes(operation);

function rsa(forward: boolean, key: KeyData, alg: string, value: Buffer): Buffer {
  const oaepHash = OAEP[alg];
  if (oaepHash === undefined && alg !== 'RSA1_5') throw unsupported(alg, key);
  const padding = oaepHash === undefined ? constants.RSA_PKCS1_PADDING : constants.RSA_PKCS1_OAEP_PADDING;
  const options = { padding, ...(oaepHash === undefined ? {} : { oaepHash }) };
  try {
    return forward
      ? publicEncrypt({ key: publicKeyOf(key), ...options }, value)
      : privateDecrypt({ key: privateKeyOf(key), ...options }, value);
  } catch {
    throw badParameter('The parameter is incorrect.');
  }
}

function gcm(forward: boolean, key: KeyData, alg: string, value: Buffer, body: JsonObject): JsonObject {
  const bits = aesBits(key, alg, AES_GCM);
  const aad = body['aad'] === undefined ? Buffer.alloc(0) : bytesOf(body['aad'], 'aad');
  const name = `aes-${bits}-gcm` as 'aes-256-gcm';
  if (forward) {
    const iv = randomBytes(12);
    const cipher = createCipheriv(name, key.material, iv).setAAD(aad);
    const ciphertext = Buffer.concat([cipher.update(value), cipher.final()]);
    return {
      value: ciphertext.toString('base64url'),
      iv: iv.toString('base64url'),
      tag: cipher.getAuthTag().toString('base64url'),
    };
  }
  try {
    const decipher = createDecipheriv(name, key.material, bytesOf(body['iv'], 'iv'), { authTagLength: 16 })
      .setAAD(aad)
      .setAuthTag(bytesOf(body['tag'], 'tag'));
    return { value: Buffer.concat([decipher.update(value), decipher.final()]).toString('base64url') };
  } catch (error) {
    if (error instanceof KeyVaultError) throw error;
    throw badParameter('The parameter is incorrect.');
  }
}

function aesWrap(forward: boolean, key: KeyData, alg: string, value: Buffer): Buffer {
  const name = `id-aes${aesBits(key, alg, AES_WRAP)}-wrap`;
  const iv = Buffer.alloc(8, 0xa6);
  try {
    const transform = forward
      ? createCipheriv(name, key.material, iv)
      : createDecipheriv(name, key.material, iv);
    return Buffer.concat([transform.update(value), transform.final()]);
  } catch {
    throw badParameter('The parameter is incorrect.');
  }
}

function aesBits(key: KeyData, alg: string, pattern: RegExp): number {
  const bits = Number(pattern.exec(alg)?.[1]);
  if (key.material.length * 8 !== bits) throw unsupported(alg, key);
  return bits;
}

const unsupported = (alg: string, key: KeyData): KeyVaultError =>
  badParameter(`Algorithm ${alg} is not supported with a key of type ${key.kty}.`);
