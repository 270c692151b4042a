import { hash, randomBytes } from 'node:crypto';
import type { MaaTenant, TenantPolicy } from './tenants-file.js';
import { signedToken } from './token.js';
import type { TokenKeys } from './token-keys.js';

const LIFETIME_SECONDS = 900;

/**
 * Answer of `GET /policies/{type}`: a signed token with the policy as it is stored, an unsigned JWS over its text (policies come from
 * the operator's configuration here, nobody uploads them).
 */
export function policyDocument(
  tenant: MaaTenant,
  policy: TenantPolicy,
  keys: TokenKeys,
  now: Date,
): Promise<string> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const stored = { AttestationPolicy: Buffer.from(policy.text, 'utf8').toString('base64url') };
  const jws = `${part({ alg: 'none' })}.${part(stored)}.`;
  return signedToken(
    {
      ...dates(tenant, now),
      'x-ms-policy': jws,
      'x-ms-policy-token-hash': hash('sha256', jws, 'base64url'),
    },
    keys.current,
    tenant.issuer,
  );
}

/** Answer of `GET /certificates`: nobody may sign policies for this service. */
export function policySigners(tenant: MaaTenant, keys: TokenKeys, now: Date): Promise<string> {
  const claims = { ...dates(tenant, now), 'x-ms-policy-certificates': { keys: [] } };
  return signedToken(claims, keys.current, tenant.issuer);
}

function dates({ issuer }: MaaTenant, now: Date) {
  const iat = Math.floor(now.getTime() / 1_000);
  return { iss: issuer, iat, nbf: iat, exp: iat + LIFETIME_SECONDS, jti: randomBytes(32).toString('hex') };
}
