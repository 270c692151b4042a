import { createPublicKey, timingSafeEqual } from 'node:crypto';
import { MAX_CERTIFICATE_BYTES, readCarrierCertificate } from '../ra-tls/carrier-certificate.js';
import { MAX_CLAIMS_BYTES, readDiceClaims } from '../ra-tls/dice/claims.js';
import type { DiceClaims } from '../ra-tls/dice/claims.js';
import { EvidenceError } from '../ra-tls/evidence-error.js';
import { BindingError } from './convention.js';
import type { BindingInput } from './convention.js';
import { MAX_RUNTIME_DATA_BYTES } from './runtime-data.js';

/** Real keys are far smaller (RSA-16384 is about 2 KiB); this only bounds the hash's work. */
const MAX_SPKI_BYTES = 16 * 1024;
const MIN_NONCE_BYTES = 16;
const MAX_NONCE_BYTES = 64;
const CONFIG_ID_BYTES = 32;

/** The presented key. @throws BindingError BINDING_INPUT_INVALID, as all functions of this file */
export function spkiOf({ spki }: BindingInput): Uint8Array {
  return bounded(spki, MAX_SPKI_BYTES, 'public key (SPKI)');
}

/** The challenge, if there is one. */
export function nonceOf({ nonce }: BindingInput): Uint8Array | undefined {
  if (nonce === undefined) return undefined;
  if (nonce.length < MIN_NONCE_BYTES || nonce.length > MAX_NONCE_BYTES) {
    throw invalid(`a challenge has ${MIN_NONCE_BYTES} to ${MAX_NONCE_BYTES} bytes`);
  }
  return nonce;
}

/** For conventions that leave no byte to a challenge. @throws BindingError CHALLENGE_NOT_BOUND where there is one */
export function noChallenge(input: BindingInput, convention: string): void {
  if (nonceOf(input))
    throw new BindingError('CHALLENGE_NOT_BOUND', `${convention} has no room for a challenge`);
}

export function runtimeDataOf({ runtimeData }: BindingInput): Uint8Array {
  return bounded(runtimeData, MAX_RUNTIME_DATA_BYTES, 'runtime data');
}

export function claimsOf({ claims }: BindingInput): { readonly bytes: Buffer; readonly claims: DiceClaims } {
  const given = bounded(claims, MAX_CLAIMS_BYTES, 'claims');
  const bytes = Buffer.from(given.buffer, given.byteOffset, given.length);
  return { bytes, claims: readable(() => readDiceClaims(bytes)) };
}

/** The certificate, and whether it is one of the presented key. @throws BindingError KEY_NOT_IN_CERTIFICATE as well */
export function certificateOf(input: BindingInput): Uint8Array {
  const certificate = bounded(input.certificate, MAX_CERTIFICATE_BYTES, 'certificate');
  const certified = readable(() => readCarrierCertificate(certificate).spki);
  const spki = spkiOf(input);
  if (certified.length !== spki.length || !timingSafeEqual(certified, spki)) {
    throw new BindingError('KEY_NOT_IN_CERTIFICATE', 'the presented key is not the one of the certificate');
  }
  return certificate;
}

/** The key as RSAPublicKey (RFC 8017 §A.1.1) and as SubjectPublicKeyInfo (RFC 5280 §4.1), both DER. */
export function rsaEncodingsOf(input: BindingInput): readonly [pkcs1: Buffer, spki: Buffer] {
  const given = Buffer.from(spkiOf(input));
  let key;
  try {
    key = createPublicKey({ key: given, format: 'der', type: 'spki' });
  } catch {
    throw invalid('the public key (SPKI) cannot be read');
  }
  if (key.asymmetricKeyType !== 'rsa') throw invalid('the public key is not an RSA key');
  return [key.export({ format: 'der', type: 'pkcs1' }), given];
}

/** The text of the key in PKCS #1 PEM, which must be the presented key's. @throws BindingError KEY_NOT_IN_RUNTIME_DATA as well */
export function pkcs1PemOf(input: BindingInput): Uint8Array {
  const text = runtimeDataOf(input);
  const pem = Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1');
  if (!PKCS1_PEM.test(pem)) throw invalid('the runtime data is not the PEM text of one RSA public key');
  let spki: Buffer;
  try {
    spki = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  } catch {
    throw invalid('the RSA public key of the runtime data cannot be read');
  }
  const presented = spkiOf(input);
  if (spki.length !== presented.length || !timingSafeEqual(spki, presented))
    throw new BindingError('KEY_NOT_IN_RUNTIME_DATA', 'the presented key is not the one of the PEM text');
  return text;
}

const PKCS1_PEM =
  /^-----BEGIN RSA PUBLIC KEY-----\r?\n(?:[A-Za-z0-9+/=]{1,76}\r?\n){1,32}-----END RSA PUBLIC KEY-----(?:\r?\n)?$/;

/** The identifier of the application configuration, if there is one. */
export function configIdOf({ configId }: BindingInput): Uint8Array | undefined {
  if (configId === undefined) return undefined;
  if (configId.length !== CONFIG_ID_BYTES)
    throw invalid(`a configuration id has ${CONFIG_ID_BYTES} bytes, not ${configId.length}`);
  return configId;
}

function bounded(bytes: Uint8Array | undefined, most: number, what: string): Uint8Array {
  if (!bytes || bytes.length === 0 || bytes.length > most)
    throw invalid(`the ${what} is missing, empty or too large`);
  return bytes;
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) throw invalid(error.message);
    throw error;
  }
}

const invalid = (message: string): BindingError => new BindingError('BINDING_INPUT_INVALID', message);
