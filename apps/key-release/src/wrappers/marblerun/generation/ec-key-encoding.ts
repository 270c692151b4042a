import {
  derBitString,
  derElement,
  derExplicit,
  derOctetString,
  derOid,
  derSequence,
  derUnsigned,
} from '#pki';
import { createECDH } from 'node:crypto';
import type { KeyPair } from './key-pair.js';

const EC_PUBLIC_KEY = derOid('1.2.840.10045.2.1');
function ecAlgorithm(curve: string): Buffer {
  return derSequence(EC_PUBLIC_KEY, derOid(curve));
}

/** Named curves (RFC 5480 §2.1.1.1) by their size in bits. */
const CURVES = {
  224: { openssl: 'secp224r1', algorithm: ecAlgorithm('1.3.132.0.33'), bytes: 28 },
  256: { openssl: 'prime256v1', algorithm: ecAlgorithm('1.2.840.10045.3.1.7'), bytes: 32 },
  384: { openssl: 'secp384r1', algorithm: ecAlgorithm('1.3.132.0.34'), bytes: 48 },
  521: { openssl: 'secp521r1', algorithm: ecAlgorithm('1.3.132.0.35'), bytes: 66 },
} as const;
export type EcBits = keyof typeof CURVES;
export const isEcBits = (bits: number): bits is EcBits => Object.hasOwn(CURVES, bits);

const VERSION_0 = derUnsigned(Buffer.of(0));
const VERSION_1 = derUnsigned(Buffer.of(1));

/**
 * A new key pair on a named curve. OpenSSL makes it; its encodings (PKCS#8 with RFC 5915 inside, SubjectPublicKeyInfo) are put together
 * here, since OpenSSL's own encoders cost many times what the key itself does.
 */
export function generateEcKeyPair(bits: EcBits): KeyPair {
  const { openssl, algorithm, bytes } = CURVES[bits];
  const made = createECDH(openssl);
  const point = made.generateKeys();
  const scalar = Buffer.alloc(bytes);
  const given = made.getPrivateKey();
  given.copy(scalar, bytes - given.length);
  given.fill(0);
  const inner = derSequence(VERSION_1, derOctetString(scalar), derExplicit(1, derBitString(point)));
  scalar.fill(0);
  return {
    privateKey: derSequence(VERSION_0, algorithm, derOctetString(inner)),
    publicKey: derElement(0x30, algorithm, derBitString(point)),
  };
}
