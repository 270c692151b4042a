import { derBitString, derElement, derOctetString, derOid, derSequence, derUnsigned } from '#pki';
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { SecretProblem } from './made-secret.js';

const generate = promisify(generateKeyPair) as unknown as (
  type: string,
  options: object,
) => Promise<{ privateKey: KeyObject }>;

const KINDS: Readonly<Record<string, [type: string, options: object]>> = {
  'P-256': ['ec', { namedCurve: 'P-256' }],
  'P-384': ['ec', { namedCurve: 'P-384' }],
  Ed25519: ['ed25519', {}],
  'RSA-2048': ['rsa', { modulusLength: 2_048 }],
  'RSA-3072': ['rsa', { modulusLength: 3_072 }],
};

export async function newPrivateKey(keyType = 'P-256'): Promise<KeyObject> {
  const kind = KINDS[keyType];
  if (!kind) throw new SecretProblem('SCONE_SECRET_INVALID', `"${keyType}" is no type of a key`);
  return (await generate(...kind)).privateKey;
}

/** @throws SecretProblem for what is no private key of a known type */
export function readPrivateKey(pem: string, name: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (keyTypeOf(key) !== undefined) return key;
  } catch {
    // Said below, without what was read.
  }
  throw new SecretProblem('SCONE_SECRET_INVALID', `the value of "${name}" is no private key in PKCS #8`);
}

export function keyTypeOf(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return 'Ed25519';
  if (type === 'ec') return { prime256v1: 'P-256', secp384r1: 'P-384' }[details?.namedCurve ?? ''];
  if (type === 'rsa' && (details?.modulusLength === 2_048 || details?.modulusLength === 3_072))
    return `RSA-${details.modulusLength}`;
  return undefined;
}

/** PKCS #8; for Ed25519 its second version, OneAsymmetricKey with the public key (RFC 8410 §7), as the language has it. */
export function pkcs8Der(key: KeyObject): Buffer {
  if (key.asymmetricKeyType !== 'ed25519') return key.export({ format: 'der', type: 'pkcs8' });
  const { d = '', x = '' } = key.export({ format: 'jwk' });
  return derSequence(
    derUnsigned(Buffer.of(1)),
    derSequence(derOid('1.3.101.112')),
    derOctetString(derOctetString(Buffer.from(d, 'base64url'))),
    // [1] IMPLICIT BIT STRING: the content of a BIT STRING without its own identifier and length.
    derElement(0x81, derBitString(Buffer.from(x, 'base64url')).subarray(2)),
  );
}

export const spkiDer = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' });

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

export function derOfPem(text: string): Buffer {
  return Buffer.from(text.replace(/-----[^-]+-----/g, '').replace(/\s/g, ''), 'base64');
}
