import { errors, jwtVerify } from 'jose';
import { KbsError } from '../protocol/kbs-error.js';
import type { AdminRole, AdminSettings } from './admin-file.js';

/** Signatures by private keys alone: a shared secret, or none, authenticates nobody. */
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
];
const MAX_TOKEN_CHARACTERS = 8 * 1024;
const CLOCK_SKEW_SECONDS = 5;

export interface Administrator {
  /** For events: the token's subject. */
  readonly actor: string;
  /** @throws KbsError 403 where no role of the token allows it */
  require(tenant: string, method: string, resource?: string): void;
}

/**
 * Reads the administrator's token: a JWT of the one issuer and audience that the file names, signed by a key of its JWKS, with an end that
 * is not far away, and a subject; `role` names what it may do. Roles are by tenant, method and path, and nothing else of the address counts.
 */
export class Administrators {
  constructor(private readonly settings: AdminSettings | undefined) {}

  /** @throws KbsError 401 */
  async authenticate(authorization: string | undefined): Promise<Administrator> {
    const { settings } = this;
    if (!settings)
      throw new KbsError(
        403,
        'AdminAuthAccess',
        'administration by this protocol is off (SIEGEL_TRUSTEE_ADMIN_FILE)',
      );
    const token = /^Bearer ([A-Za-z0-9_.-]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) throw unauthenticated('no bearer token');
    const claims = await verified(token, settings);
    const { sub, role, iat, exp } = claims;
    if (typeof sub !== 'string' || sub === '') throw unauthenticated('the token names no subject');
    if (iat === undefined || exp === undefined || exp - iat > settings.maxLifetimeSeconds)
      throw unauthenticated(`the token is for longer than ${settings.maxLifetimeSeconds} seconds`);
    const named =
      typeof role === 'string' && Object.hasOwn(settings.roles, role) ? settings.roles[role] : undefined;
    return {
      actor: `trustee:${sub}`.slice(0, 128),
      require: (tenant, method, resource) => {
        if (!named || !allows(named, tenant, method, resource))
          throw new KbsError(403, 'AdminAuthAccess', 'the role of this token does not allow it');
      },
    };
  }
}

async function verified(token: string, { keys, issuer, audience }: AdminSettings) {
  try {
    const { payload } = await jwtVerify<{ role?: unknown }>(token, keys, {
      ...{ issuer, audience, algorithms: ALGORITHMS },
      requiredClaims: ['exp', 'iat', 'sub'],
      clockTolerance: CLOCK_SKEW_SECONDS,
    });
    return payload;
  } catch (error) {
    // Whatever is wrong with a token is one of jose's errors; the rest is about the address of the keys.
    if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout) {
      const detail = 'the keys of administrators cannot be fetched';
      throw new KbsError(503, 'AdminAuthInitialization', detail, { cause: error });
    }
    throw unauthenticated(`the token was not accepted (${error.code})`);
  }
}

function allows(role: AdminRole, tenant: string, method: string, resource: string | undefined): boolean {
  if (!role.tenants.includes(tenant) || !(role.methods as string[]).includes(method)) return false;
  if (resource === undefined) return true;
  const parts = resource.split('/');
  return role.resources.some((pattern) =>
    pattern.split('/').every((part, at) => part === '*' || part === parts[at]),
  );
}

const unauthenticated = (detail: string): KbsError => new KbsError(401, 'AdminAuthAccess', detail);
