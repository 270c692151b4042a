import type { TokenCredential } from '@azure/identity';
import { constants, createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { VaultError } from '../errors.js';
import type { Transport } from './transport.js';

/** An application of Entra that has a credential of its own, instead of a federated one. */
export interface ApplicationIdentity {
  readonly tenantId: string;
  readonly clientId: string;
  readonly credential:
    | { readonly secret: string }
    | {
        /** RSA, PEM. */
        readonly privateKey: string;
        /** Hex, of the certificate that is registered: SHA-1 (40 digits) or SHA-256 (64). */
        readonly thumbprint: string;
      };
}

export interface ApplicationOptions {
  /** `https://login.microsoftonline.com`, or of another cloud. */
  readonly authorityHost: string;
  readonly disableInstanceDiscovery?: boolean;
}

const ASSERTION_SECONDS = 300;
const TENANT = /^[0-9A-Za-z.-]{1,255}$/;
const CLIENT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * A credential of the SDK. By certificate it signs its assertions itself: the SDK would need the certificate, of which only the thumbprint
 * is known.
 * @throws VaultError VAULT_MISCONFIGURED
 */
export async function makeApplicationCredential(
  { tenantId, clientId, credential }: ApplicationIdentity,
  { authorityHost, disableInstanceDiscovery }: ApplicationOptions,
  transport: Transport,
): Promise<TokenCredential> {
  if (!TENANT.test(tenantId)) throw refused('the tenant is neither an id nor a domain');
  if (!CLIENT.test(clientId)) throw refused('the client id is no GUID');
  const options = {
    authorityHost,
    additionalPolicies: transport.policies,
    retryOptions: { maxRetries: 1, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 },
    ...(disableInstanceDiscovery === undefined ? {} : { disableInstanceDiscovery }),
  };
  if ('secret' in credential) {
    if (credential.secret === '') throw refused('the secret of the application is empty');
    const { ClientSecretCredential } = await import('@azure/identity');
    return new ClientSecretCredential(tenantId, clientId, credential.secret, options);
  }
  const key = rsaKey(credential.privateKey);
  const audience = `${authorityHost.replace(/\/$/, '')}/${tenantId}/oauth2/v2.0/token`;
  const assertion = () => Promise.resolve(assertionOf(key, credential.thumbprint, clientId, audience));
  const { ClientAssertionCredential } = await import('@azure/identity');
  return new ClientAssertionCredential(tenantId, clientId, assertion, options);
}

function rsaKey(text: string): KeyObject {
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // Said below, without what was read.
  }
  throw refused('the private key of the application is no RSA key in PEM');
}

/** RFC 7523 §3, as Entra wants it: `x5t` goes with RS256, `x5t#S256` with PS256. */
function assertionOf(key: KeyObject, thumbprint: string, clientId: string, audience: string): string {
  const digest = Buffer.from(thumbprint, 'hex');
  const sha256 = digest.length === 32;
  if (!sha256 && digest.length !== 20) throw refused('the thumbprint is none of SHA-1 or SHA-256');
  const now = Math.floor(Date.now() / 1_000);
  const header = sha256
    ? { alg: 'PS256', typ: 'JWT', 'x5t#S256': digest.toString('base64url') }
    : { alg: 'RS256', typ: 'JWT', x5t: digest.toString('base64url') };
  const claims = { aud: audience, iss: clientId, sub: clientId, jti: randomUUID(), iat: now, nbf: now };
  const input = [header, { ...claims, exp: now + ASSERTION_SECONDS }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const padding = sha256
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    : { padding: constants.RSA_PKCS1_PADDING };
  const signature = sign('sha256', Buffer.from(input), { key, ...padding });
  return `${input}.${signature.toString('base64url')}`;
}

const refused = (message: string): VaultError => new VaultError('VAULT_MISCONFIGURED', message);
