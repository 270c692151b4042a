import { hash, randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';
import { DPOP_ALGS } from './dpop.js';
import { normaliseHtu } from './http-target.js';
import { signJws } from './jws.js';
import { keyKindOf } from './key-kinds.js';
import { PkiError } from './pki-error.js';
import { PublicKey } from './public-key.js';
import { LocalSigner } from './signer.js';

export interface DpopProofInput {
  /** The attested private key: P-256, P-384, P-521, Ed25519 or RSA. */
  privateKey: KeyObject;
  method: string;
  /** Absolute URL of the request. */
  url: string;
  now: Date;
  accessToken?: string;
  /** From the server's DPoP-Nonce header. */
  nonce?: string;
  /** Default: a random UUID. */
  jti?: string;
}

/**
 * The client's side of RFC 9449 §4.2: a proof for one request. Throws KEY_NOT_USABLE for keys that cannot sign, and
 * DPOP_URL_MISMATCH for a URL that is not absolute http(s).
 */
export async function createDpopProof(input: DpopProofInput): Promise<string> {
  const { privateKey, accessToken, nonce } = input;
  const htu = normaliseHtu(input.url);
  if (htu === undefined) throw new PkiError('DPOP_URL_MISMATCH', 'not an absolute http(s) URL');
  const kind = privateKey.type === 'private' ? keyKindOf(privateKey) : undefined;
  const [alg] = kind === undefined ? [] : DPOP_ALGS[kind];
  if (alg === undefined) throw new PkiError('KEY_NOT_USABLE', kind ?? privateKey.type);
  const payload = Buffer.from(
    JSON.stringify({
      jti: input.jti ?? randomUUID(),
      htm: input.method,
      htu,
      iat: Math.floor(input.now.getTime() / 1000),
      ...(accessToken === undefined ? {} : { ath: hash('sha256', accessToken, 'base64url') }),
      ...(nonce === undefined ? {} : { nonce }),
    }),
  );
  const typ = 'dpop+jwt';
  if (alg === 'ES256' || alg === 'EdDSA') {
    const signer = LocalSigner.fromPrivateKey(privateKey);
    const { kty, crv, x, y } = signer.jwk();
    return signJws(payload, signer, {
      typ,
      header: { jwk: y === undefined ? { kty, crv, x } : { kty, crv, x, y } },
    });
  }
  const jwk = { ...PublicKey.fromKeyObject(privateKey).jwk };
  return new CompactSign(payload).setProtectedHeader({ alg, typ, jwk }).sign(privateKey);
}
