import { createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { CarrierCertificate } from './carrier-certificate.js';
import { EvidenceError } from './evidence-error.js';

interface SignatureAlgorithm {
  readonly keyType: 'ec' | 'rsa';
  readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512';
}

/**
 * AlgorithmIdentifiers (RFC 8017 §A.2.4, RFC 5758 §3.2). ECDSA has no parameters, but Mbed TLS before 3.6 writes NULL there, so that
 * certificates of Gramine are in use with both.
 */
const ALGORITHMS: Readonly<Record<string, SignatureAlgorithm>> = {
  '300d06092a864886f70d0101050500': { keyType: 'rsa', hash: 'sha1' },
  '300d06092a864886f70d01010b0500': { keyType: 'rsa', hash: 'sha256' },
  '300d06092a864886f70d01010c0500': { keyType: 'rsa', hash: 'sha384' },
  '300d06092a864886f70d01010d0500': { keyType: 'rsa', hash: 'sha512' },
  '300a06082a8648ce3d040302': { keyType: 'ec', hash: 'sha256' },
  '300a06082a8648ce3d040303': { keyType: 'ec', hash: 'sha384' },
  '300a06082a8648ce3d040304': { keyType: 'ec', hash: 'sha512' },
  '300c06082a8648ce3d0403020500': { keyType: 'ec', hash: 'sha256' },
  '300c06082a8648ce3d0403030500': { keyType: 'ec', hash: 'sha384' },
  '300c06082a8648ce3d0403040500': { keyType: 'ec', hash: 'sha512' },
};

/**
 * Checks that the certificate is its own issuer and bears its own key's signature. What the signature proves is little (the
 * TLS handshake proves possession of the key); a certificate without it was put together by somebody else.
 *
 * @param allowSha1 only for the one dialect that uses it: the hash is over what the quote binds anyway
 * @throws EvidenceError CERTIFICATE_ALGORITHM_UNSUPPORTED, CERTIFICATE_KEY_UNSUPPORTED, CERTIFICATE_NOT_SELF_SIGNED
 */
export function checkSelfSignature(certificate: CarrierCertificate, allowSha1: boolean): void {
  const algorithm = ALGORITHMS[certificate.algorithm.toString('hex')];
  if (algorithm === undefined || (algorithm.hash === 'sha1' && !allowSha1))
    throw new EvidenceError('CERTIFICATE_ALGORITHM_UNSUPPORTED');
  if (!certificate.issuer.equals(certificate.subject))
    throw new EvidenceError('CERTIFICATE_NOT_SELF_SIGNED', 'issuer and subject differ');
  const key = supportedKey(certificate.spki);
  if (key.asymmetricKeyType !== algorithm.keyType)
    throw new EvidenceError('CERTIFICATE_NOT_SELF_SIGNED', 'the algorithm is not for this kind of key');
  if (!verify(algorithm.hash, certificate.tbs, key, certificate.signature))
    throw new EvidenceError('CERTIFICATE_NOT_SELF_SIGNED', 'the signature does not verify');
}

function supportedKey(spki: Buffer): KeyObject {
  let key: KeyObject;
  try {
    // As PEM: Node probes an object with bytes for being a key already, which costs as much as the import itself.
    key = createPublicKey(
      `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`,
    );
  } catch (error) {
    throw new EvidenceError('CERTIFICATE_KEY_UNSUPPORTED', 'it is no key', { cause: error });
  }
  const { namedCurve, modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const curve = key.asymmetricKeyType === 'ec' && (namedCurve === 'prime256v1' || namedCurve === 'secp384r1');
  // The exponent is bounded as well: a large one makes a verification cost as much as a signature.
  const rsa =
    key.asymmetricKeyType === 'rsa' &&
    modulusLength >= 2048 &&
    modulusLength <= 4096 &&
    publicExponent <= 0xffff_ffffn;
  if (!curve && !rsa) throw new EvidenceError('CERTIFICATE_KEY_UNSUPPORTED');
  return key;
}
