import { PublicKey } from '#pki';

/** The key of the attested party, as its token names it. */
export interface WrappingKey {
  readonly kid: string;
  readonly key: PublicKey;
}

const MAX_HELD_CHARACTERS = 32 * 1024;
const MAX_KEYS = 16;

/**
 * The first RSA key for encryption (2048 to 4096 bits, with a `kid`) among the keys that the token vouches for: those of
 * `x-ms-runtime`, else those of held data that is a JWKS (`x-ms-sgx-ehd`, `maa-ehd`), as EGo and MarbleRun send it.
 */
export function wrappingKeyOf(claims: Readonly<Record<string, unknown>>): WrappingKey | undefined {
  const runtime = claims['x-ms-runtime'];
  const sources = [
    keysOf(runtime),
    ...['x-ms-sgx-ehd', 'maa-ehd'].map((name) => keysOf(heldData(claims[name]))),
  ];
  for (const keys of sources) {
    for (const jwk of keys) {
      const found = readKey(jwk);
      if (found) return found;
    }
  }
  return undefined;
}

function readKey(jwk: unknown): WrappingKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kty, kid, n, e } = jwk as Record<string, unknown>;
  if (kty !== 'RSA' || typeof kid !== 'string' || kid === '' || kid.length > 256 || !encrypts(jwk))
    return undefined;
  try {
    return { kid, key: PublicKey.fromJwk({ kty, n, e }) };
  } catch {
    return undefined;
  }
}

/** Microsoft's documentation says `key_use`, the standard `use`; some libraries write `key_ops` as one string. */
function encrypts(jwk: object): boolean {
  const { key_use: keyUse, use, key_ops: operations } = jwk as Record<string, unknown>;
  return (
    keyUse === 'enc' ||
    use === 'enc' ||
    operations === 'encrypt' ||
    (Array.isArray(operations) && operations.includes('encrypt'))
  );
}

function keysOf(container: unknown): unknown[] {
  const keys = (container as { keys?: unknown } | null | undefined)?.keys;
  return Array.isArray(keys) ? keys.slice(0, MAX_KEYS) : [];
}

function heldData(held: unknown): unknown {
  if (typeof held !== 'string' || held.length > MAX_HELD_CHARACTERS) return undefined;
  try {
    return JSON.parse(Buffer.from(held, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}
