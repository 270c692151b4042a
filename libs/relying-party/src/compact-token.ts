import { verify, type KeyObject } from 'node:crypto';
import { RelyingPartyError } from './errors.js';

/** Largest token, in characters: one with a JWKS among its claims takes a few thousand. */
export const MAX_TOKEN_CHARACTERS = 64 * 1024;

export type Members = Readonly<Record<string, unknown>>;
export type TokenAlgorithm = 'ES256' | 'RS256';

/** A compact JWS taken apart; nothing of it is believed before its signature is verified. */
export interface CompactToken {
  readonly header: Members & { readonly alg: string };
  readonly claims: Members;
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** @throws RelyingPartyError TOKEN_TOO_LARGE, TOKEN_MALFORMED, TOKEN_UNSIGNED, CRITICAL_HEADER */
export function parseCompactToken(token: string): CompactToken {
  if (token.length > MAX_TOKEN_CHARACTERS) throw new RelyingPartyError('TOKEN_TOO_LARGE');
  const [head = '', body = '', tail = '', ...more] = token.split('.');
  if (head === '' || body === '' || more.length > 0 || token.split('.').length !== 3)
    throw new RelyingPartyError('TOKEN_MALFORMED', 'It has not three parts.');
  const header = jsonObject(head, 'header');
  const { alg } = header;
  if (typeof alg !== 'string') throw new RelyingPartyError('TOKEN_MALFORMED', 'Its header has no alg.');
  // In any letter case: libraries have taken "None" for another algorithm than "none".
  if (alg.toLowerCase() === 'none' || tail === '') throw new RelyingPartyError('TOKEN_UNSIGNED');
  if ('crit' in header || 'b64' in header) throw new RelyingPartyError('CRITICAL_HEADER');
  return {
    header: { ...header, alg },
    claims: jsonObject(body, 'payload'),
    signed: Buffer.from(`${head}.${body}`, 'latin1'),
    signature: base64url(tail, 'signature'),
  };
}

/** Algorithms and what is needed of a key for them (RFC 7518 §3.3, §3.4). */
export function signatureHolds(
  { signed, signature }: CompactToken,
  alg: TokenAlgorithm,
  key: KeyObject,
): boolean {
  // ES256 signatures are r‖s, 64 bytes; node:crypto expects DER unless it is told.
  return alg === 'ES256'
    ? signature.length === 64 && verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
    : verify('sha256', signed, key, signature);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function jsonObject(text: string, part: string): Members {
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(base64url(text, part)));
  } catch (error) {
    if (error instanceof RelyingPartyError) throw error;
    throw new RelyingPartyError('TOKEN_MALFORMED', `Its ${part} is not JSON.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RelyingPartyError('TOKEN_MALFORMED', `Its ${part} is not a JSON object.`);
  return value as Members;
}

/** Without padding, in its one spelling (RFC 7515 §2). */
function base64url(text: string, part: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text)
    throw new RelyingPartyError('TOKEN_MALFORMED', `Its ${part} is not base64url.`);
  return bytes;
}
