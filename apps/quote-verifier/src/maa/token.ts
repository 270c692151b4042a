import type { TokenKey } from './token-key.js';

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token of this API: RS256, header `{alg, jku, kid, typ}` as Microsoft's. */
export async function signedToken(claims: object, key: TokenKey, issuer: string): Promise<string> {
  const header = { alg: 'RS256', jku: `${issuer}/certs`, kid: key.kid, typ: 'JWT' };
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${(await key.sign(input)).toString('base64url')}`;
}

/** The answer to a draft policy: not signed, and whoever takes it for a token takes anything. */
export function unsignedToken(claims: object): string {
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`;
}
