import { MAX_RUNTIME_DATA_BYTES } from './runtime-data.js';

/**
 * Public keys as Trustee's protocol has them (kbs-types, `TeePubKey`): an algorithm of JWE besides the key, and nothing else. Other
 * members of a JWK are dropped before anything is hashed, as upstream drops them.
 */
export type TrusteeKey =
  | { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-521'; readonly alg: string; x: string; y: string }
  | { readonly kty: 'RSA'; readonly alg: string; readonly n: string; readonly e: string }
  | { readonly kty: 'AKP'; readonly alg: string; readonly pub: string };

/** What the runtime data binds. */
export interface TrusteeRuntimeContent {
  /** SubjectPublicKeyInfo DER of `tee-pubkey`; its point is not checked. Absent where there is no readable key. */
  readonly spki?: Buffer;
  readonly nonce?: Buffer;
}

/** Bytes of one coordinate, and DER of the SubjectPublicKeyInfo up to the two coordinates of the uncompressed point. */
const CURVES = {
  'P-256': {
    bytes: 32,
    prefix: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
  },
  'P-521': {
    bytes: 66,
    prefix: Buffer.from('30819b301006072a8648ce3d020106052b8104002303818600' + '04', 'hex'),
  },
} as const;
/** ML-KEM-768 (FIPS 203): length of the encapsulation key, and the DER around it (RFC 9935). */
const ML_KEM_768_BYTES = 1184;
const ML_KEM_768_PREFIX = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');
const MAX_RSA_BYTES = 1024;
const RSA_ALGORITHM = Buffer.from('300d06092a864886f70d0101010500', 'hex');

/** The members of a `tee-pubkey` that count, or undefined if it is none of the three kinds. Checks form, not arithmetic. */
export function readTrusteeKey(jwk: unknown): TrusteeKey | undefined {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return undefined;
  const { kty, alg, crv, x, y, n, e, pub } = jwk as Record<string, unknown>;
  if (typeof alg !== 'string' || alg.length > 64) return undefined;
  if (kty === 'EC' && (crv === 'P-256' || crv === 'P-521')) {
    const { bytes } = CURVES[crv];
    if (octets(x, bytes, bytes) && octets(y, bytes, bytes))
      return { kty, crv, alg, x: x as string, y: y as string };
  }
  if (kty === 'RSA' && octets(n, 1, MAX_RSA_BYTES) && octets(e, 1, 8))
    return { kty, alg, n: n as string, e: e as string };
  if (kty === 'AKP' && octets(pub, ML_KEM_768_BYTES, ML_KEM_768_BYTES))
    return { kty, alg, pub: pub as string };
  return undefined;
}

/** SubjectPublicKeyInfo DER of the key, built without a look at its arithmetic. */
export function trusteeKeySpki(key: TrusteeKey): Buffer {
  switch (key.kty) {
    case 'EC':
      return Buffer.concat([CURVES[key.crv].prefix, base64url(key.x), base64url(key.y)]);
    case 'RSA': {
      const bits = der(0x30, der(0x02, unsigned(key.n)), der(0x02, unsigned(key.e)));
      return der(0x30, RSA_ALGORITHM, der(0x03, Buffer.concat([Buffer.of(0), bits])));
    }
    case 'AKP':
      return Buffer.concat([ML_KEM_768_PREFIX, base64url(key.pub)]);
  }
}

/**
 * The runtime data of a Trustee client, as it hashes it: RFC 8785 over the members below. `additionalEvidence` is a member since
 * protocol 0.4.0, empty where there is no further device, and absent before.
 */
export function trusteeRuntimeData(input: {
  readonly nonce: string;
  readonly key: TrusteeKey;
  readonly additionalEvidence?: string;
}): string {
  const { nonce, key, additionalEvidence } = input;
  return JSON.stringify({
    ...(additionalEvidence === undefined ? {} : { 'additional-evidence': additionalEvidence }),
    nonce,
    'tee-pubkey': Object.fromEntries(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1))),
  });
}

/** Reads such runtime data. Never throws: what cannot be read binds nothing. */
export function readTrusteeRuntimeData(data: Uint8Array): TrusteeRuntimeContent {
  if (data.length === 0 || data.length > MAX_RUNTIME_DATA_BYTES) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString('utf8'));
  } catch {
    return {};
  }
  if (typeof value !== 'object' || value === null) return {};
  const { nonce, 'tee-pubkey': jwk } = value as Record<string, unknown>;
  const key = readTrusteeKey(jwk);
  const challenge =
    typeof nonce === 'string' && nonce.length <= 128 ? Buffer.from(nonce, 'base64') : undefined;
  return {
    ...(key === undefined ? {} : { spki: trusteeKeySpki(key) }),
    ...(challenge?.toString('base64') === nonce && challenge !== undefined ? { nonce: challenge } : {}),
  };
}

/** Base64url without padding, in its one spelling, of so many octets. */
function octets(text: unknown, min: number, max: number): boolean {
  if (typeof text !== 'string' || text.length > Math.ceil((max * 4) / 3)) return false;
  const bytes = base64url(text);
  return bytes.length >= min && bytes.length <= max && bytes.toString('base64url') === text;
}

const base64url = (text: string): Buffer => Buffer.from(text, 'base64url');

/** Content of a DER INTEGER that is not negative, in its shortest form. */
function unsigned(text: string): Buffer {
  let bytes = base64url(text);
  while (bytes.length > 1 && bytes[0] === 0) bytes = bytes.subarray(1);
  return bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80
      ? Buffer.of(length)
      : length < 0x100
        ? Buffer.of(0x81, length)
        : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}
