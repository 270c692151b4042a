import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import type { LimitClass } from './service-limits.js';
import { badParameter, bytesOf, objectOf, optionalString, type JsonObject } from './wire.js';

export interface ReleasePolicy {
  readonly contentType: string;
  /** base64url of the policy's JSON, as it was sent. */
  readonly data: string;
  readonly immutable: boolean;
}

/** A key of the fake; the material is PKCS#8 DER, or the raw bytes of a symmetric key. */
export interface KeyData {
  readonly kty: 'RSA' | 'EC' | 'oct';
  readonly hsm: boolean;
  readonly material: Buffer;
  readonly exportable: boolean;
  readonly managed?: boolean;
  operations: readonly string[];
  releasePolicy?: ReleasePolicy | undefined;
}

const CURVES: Record<string, string> = {
  'P-256': 'P-256',
  'P-384': 'P-384',
  'P-521': 'P-521',
  'P-256K': 'secp256k1',
};
const RSA_SIZES = [2048, 3072, 4096];
const DEFAULT_OPERATIONS: Record<KeyData['kty'], readonly string[]> = {
  RSA: ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'],
  EC: ['sign', 'verify'],
  oct: ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey'],
};

export function createKeyData(body: JsonObject): KeyData {
  const { kty, hsm } = typeOf(optionalString(body['kty'], 'kty'));
  return {
    kty,
    hsm,
    material: generate(kty, body),
    ...readKeyRules(body, kty, hsm, body['attributes']),
  };
}

export function importKeyData(body: JsonObject): KeyData {
  const key = objectOf(body['key'], 'key');
  const { kty, hsm } = typeOf(optionalString(key['kty'], 'key.kty'));
  const isHsm = hsm || body['Hsm'] === true || body['hsm'] === true;
  let material: Buffer;
  try {
    if (kty === 'oct') material = bytesOf(key['k'], 'key.k');
    else {
      const jwk = { ...key, kty, ...(key['crv'] === 'P-256K' ? { crv: 'secp256k1' } : {}) } as JsonWebKey;
      material = createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'der' });
    }
  } catch (error) {
    throw badParameter(`JSON Web Key is not valid: ${(error as Error).message}`);
  }
  if (kty === 'oct' && material.length > 64) {
    throw badParameter('JSON Web Key: k property of oct key is too large, maximum size is 64');
  }
  const rules = { ...body, key_ops: key['key_ops'] ?? body['key_ops'] };
  return { kty, hsm: isHsm, material, ...readKeyRules(rules, kty, isHsm, body['attributes']) };
}

export function readReleasePolicy(value: unknown): ReleasePolicy | undefined {
  if (value === undefined || value === null) return undefined;
  const policy = objectOf(value, 'release_policy');
  return {
    contentType:
      optionalString(policy['contentType'], 'release_policy.contentType') ??
      'application/json; charset=utf-8',
    data: bytesOf(policy['data'], 'release_policy.data').toString('base64url'),
    immutable: policy['immutable'] === true,
  };
}

export function readOperations(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || value.some((operation) => typeof operation !== 'string')) {
    throw badParameter('Property key_ops is not a list of strings.');
  }
  return value as string[];
}

export const privateKeyOf = (key: KeyData): KeyObject =>
  createPrivateKey({ key: key.material, format: 'der', type: 'pkcs8' });

export const publicKeyOf = (key: KeyData): KeyObject => createPublicKey(privateKeyOf(key));

/** The JSON Web Key of an answer: public members only. */
export function wireKey(key: KeyData, kid: string): JsonObject {
  const kty = key.hsm ? `${key.kty}-HSM` : key.kty;
  if (key.kty === 'oct') return { kid, kty, key_ops: key.operations };
  const { n, e, crv, x, y } = publicKeyOf(key).export({ format: 'jwk' });
  const members = key.kty === 'RSA' ? { n, e } : { crv: crv === 'secp256k1' ? 'P-256K' : crv, x, y };
  return { kid, kty, key_ops: key.operations, ...members };
}

export const rsaBits = (key: KeyData): number => publicKeyOf(key).asymmetricKeyDetails?.modulusLength ?? 0;

/** How an operation with this key counts: RSA-3072 is 4 times, RSA-4096 8 times an RSA-2048. */
export function keyLimit(key: KeyData): LimitClass {
  const bits = key.kty === 'RSA' ? rsaBits(key) : 0;
  return { bucket: key.hsm ? 'hsm-key' : 'software-key', weight: bits > 3072 ? 8 : bits > 2048 ? 4 : 1 };
}

function typeOf(kty: string | undefined): { kty: KeyData['kty']; hsm: boolean } {
  const match = /^(RSA|EC|oct)(-HSM)?$/.exec(kty ?? '');
  if (match === null) throw badParameter(`Invalid kty value ${kty ?? ''}.`);
  return { kty: match[1] as KeyData['kty'], hsm: match[2] !== undefined };
}

function generate(kty: KeyData['kty'], body: JsonObject): Buffer {
  const size = body['key_size'];
  if (kty === 'oct') {
    if (size !== undefined && size !== 128 && size !== 192 && size !== 256)
      throw badParameter('Invalid key_size.');
    return randomBytes(((size as number | undefined) ?? 256) / 8);
  }
  if (kty === 'EC') {
    const namedCurve = CURVES[optionalString(body['crv'], 'crv') ?? 'P-256'];
    if (namedCurve === undefined) throw badParameter('Invalid crv value.');
    return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'der' });
  }
  const modulusLength = size ?? 2048;
  if (!RSA_SIZES.includes(modulusLength as number)) throw badParameter('Invalid key_size.');
  const pair = generateKeyPairSync('rsa', { modulusLength: modulusLength as number });
  return pair.privateKey.export({ type: 'pkcs8', format: 'der' });
}

function readKeyRules(
  body: JsonObject,
  kty: KeyData['kty'],
  hsm: boolean,
  attributes: unknown,
): Pick<KeyData, 'exportable' | 'operations' | 'releasePolicy'> {
  const sent = attributes === undefined || attributes === null ? {} : objectOf(attributes, 'attributes');
  const exportable = sent['exportable'] === true;
  const releasePolicy = readReleasePolicy(body['release_policy']);
  if (exportable && !hsm) throw badParameter('Exportable keys must be HSM keys.');
  if (exportable !== (releasePolicy !== undefined)) {
    throw badParameter(
      'A key with exportable=true needs a release policy, and a release policy needs exportable=true.',
    );
  }
  return {
    exportable,
    operations: readOperations(body['key_ops']) ?? DEFAULT_OPERATIONS[kty],
    releasePolicy,
  };
}
