import { createPublicKey, timingSafeEqual } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';

/** Runtime data above this size is refused before it is parsed. */
export const MAX_RUNTIME_DATA_BYTES = 64 * 1024;
const MAX_KEYS = 16;

/** What was found in runtime data: the keys it names and the challenge it repeats. */
export interface RuntimeDataContent {
  /** SPKI DER of every key in the runtime data. */
  readonly keys: readonly Buffer[];
  /** Challenge bytes from the JSON member `nonce` (base64url), if present. */
  readonly nonce?: Buffer;
}

/**
 * Reads runtime data (Microsoft Azure Attestation, "enclave held data"): an SPKI in DER or PEM, or a JSON
 * object with a JWKS in `keys`. Trailing NUL bytes, which Azure's own samples carry, are part of the hash but not of the
 * content. Never throws: what cannot be read holds no keys.
 */
export function readRuntimeData(data: Uint8Array): RuntimeDataContent {
  if (data.length === 0 || data.length > MAX_RUNTIME_DATA_BYTES) return { keys: [] };
  let end = data.length;
  while (end > 0 && data[end - 1] === 0) end--;
  const bytes = Buffer.from(data.buffer, data.byteOffset, end);
  const first = bytes.toString('latin1', 0, 64).trimStart();
  if (first.startsWith('{')) return readJson(bytes.toString('utf8'));
  const key = first.startsWith('-----BEGIN PUBLIC KEY-----')
    ? spkiOf(() => createPublicKey({ key: bytes, format: 'pem' }))
    : // A DER key may itself end in zero bytes: take the data as it is.
      spkiOf(() => createPublicKey({ key: Buffer.from(data), format: 'der', type: 'spki' }));
  return { keys: key ? [key] : [] };
}

/** True if one of the keys equals `spki`, byte for byte. */
export function holdsKey(content: RuntimeDataContent, spki: Uint8Array): boolean {
  return content.keys.some((key) => key.length === spki.length && timingSafeEqual(key, spki));
}

function readJson(text: string): RuntimeDataContent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { keys: [] };
  }
  if (!isObject(value)) return { keys: [] };
  const listed = Object.hasOwn(value, 'keys') ? value['keys'] : undefined;
  const keys: Buffer[] = [];
  if (Array.isArray(listed) && listed.length <= MAX_KEYS) {
    for (const jwk of listed) {
      if (!isObject(jwk)) continue;
      const key = spkiOf(() => createPublicKey({ key: publicMembers(jwk), format: 'jwk' }));
      if (key) keys.push(key);
    }
  }
  const nonce = Object.hasOwn(value, 'nonce') ? value['nonce'] : undefined;
  if (typeof nonce === 'string' && /^[A-Za-z0-9_-]{1,128}$/.test(nonce)) {
    return { keys, nonce: Buffer.from(nonce, 'base64url') };
  }
  return { keys };
}

/** Only the public members go to OpenSSL, so that a JWK with a private part or odd `key_ops` is read the same way. */
function publicMembers(jwk: Record<string, unknown>): JsonWebKey {
  const picked: Record<string, unknown> = {};
  for (const name of ['kty', 'crv', 'x', 'y', 'n', 'e']) {
    if (Object.hasOwn(jwk, name)) picked[name] = jwk[name];
  }
  return picked as JsonWebKey;
}

function spkiOf(load: () => ReturnType<typeof createPublicKey>): Buffer | undefined {
  try {
    return load().export({ format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
