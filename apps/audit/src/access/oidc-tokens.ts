import { SiegelError } from '#contracts';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { readFileSync } from 'node:fs';
import { ConfigurationError } from '#platform';
import type { IssuerSettings } from './access-settings.js';
import { CredentialRefused } from './credential-refused.js';
import { IssuerKeys, IssuerUnavailable } from './issuer-keys.js';
import { type Grant, Principal, type Role, ROLES } from './roles.js';

/** Longest token that is looked at, in characters; Entra's stay below, as it leaves out groups beyond a number. */
export const MAX_TOKEN_CHARACTERS = 12_288;
const CLOCK_TOLERANCE_SECONDS = 60;
const MAX_ROLE_VALUES = 256;

interface Issuer {
  readonly settings: IssuerSettings;
  readonly keys: IssuerKeys;
}

/**
 * Access tokens of OpenID Connect issuers in the shape of Entra ID: `iss`, `aud`, `exp`, `iat`, app roles. The issuer is chosen by the
 * unverified `iss`, and only its own keys and algorithms can make the token good.
 */
export class OidcTokens {
  private readonly issuers: ReadonlyMap<string, Issuer>;

  /** @throws ConfigurationError if a CA file cannot be read */
  constructor(settings: readonly IssuerSettings[], options: { cooldownMs?: number } = {}) {
    this.issuers = new Map(
      settings.map((each) => {
        const { issuer, jwksUri, metadataUri, caFile, keysMaxAgeSeconds } = each;
        const maxAgeMs = keysMaxAgeSeconds * 1_000;
        const ca = caFile === undefined ? undefined : readCa(caFile);
        return [
          issuer,
          {
            settings: each,
            keys: new IssuerKeys({ issuer, jwksUri, metadataUri, ca, maxAgeMs, ...options }),
          },
        ];
      }),
    );
  }

  get configured(): boolean {
    return this.issuers.size > 0;
  }

  /**
   * Whose token it is. @throws CredentialRefused if it does not count; SiegelError IDENTITY_UNAVAILABLE if that cannot be told now
   */
  async principal(token: string, now = new Date()): Promise<Principal> {
    const { settings, keys } = this.issuerOf(token);
    try {
      const { payload } = await jwtVerify(token, keys.find, {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms: settings.algorithms,
        requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        maxTokenAge: settings.maxTokenAgeSeconds,
        currentDate: now,
      });
      checkOrigin(payload, settings);
      return new Principal(nameOf(payload), grantsOf(payload, settings));
    } catch (error) {
      if (error instanceof IssuerUnavailable)
        throw new SiegelError('IDENTITY_UNAVAILABLE', {
          reason: { code: 'ISSUER_UNAVAILABLE', message: error.message },
          cause: error,
        });
      if (error instanceof CredentialRefused) throw error;
      // Whatever else goes wrong with a token (jose throws a TypeError for a key that is too short) makes it no better.
      const code = error instanceof errors.JOSEError ? error.code : (error as Error).name;
      throw new CredentialRefused(`${code}: ${(error as Error).message}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.issuers.values()].map(({ keys }) => keys.close()));
  }

  /** By claims that nobody vouches for yet: they choose the keys and nothing else. */
  private issuerOf(token: string): Issuer {
    if (token.length > MAX_TOKEN_CHARACTERS) throw new CredentialRefused('the token is too long');
    const [header, payload, , more] = token.split('.');
    if (payload === undefined || more !== undefined) throw new CredentialRefused('not a compact JWT');
    // Without a kid the keys would be tried for one that fits.
    if (typeof membersOf(header ?? '')['kid'] !== 'string')
      throw new CredentialRefused('the header names no key');
    const { iss } = membersOf(payload);
    const found = typeof iss === 'string' ? this.issuers.get(iss) : undefined;
    if (!found) throw new CredentialRefused('no configured issuer made it');
    return found;
  }
}

function membersOf(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new CredentialRefused('not a JWT');
}

function checkOrigin(claims: JWTPayload, { directories, clients }: IssuerSettings): void {
  const { tid, azp, appid } = claims;
  if (directories && !(typeof tid === 'string' && directories.includes(tid)))
    throw new CredentialRefused(`the directory ${text(tid)} is not one of ours`);
  const client = azp ?? appid;
  if (clients && !(typeof client === 'string' && clients.includes(client)))
    throw new CredentialRefused(`the client ${text(client)} is not one of ours`);
}

/** What the values of the claim of roles grant; values that mean nothing here are other applications' business. */
function grantsOf(claims: JWTPayload, { rolesClaim, roles, tenants }: IssuerSettings): Grant[] {
  const values = Object.hasOwn(claims, rolesClaim) ? claims[rolesClaim] : undefined;
  if (!Array.isArray(values)) return [];
  return values.slice(0, MAX_ROLE_VALUES).flatMap((value): Grant[] => {
    if (typeof value !== 'string') return [];
    if (roles === undefined)
      return (ROLES as readonly string[]).includes(value) ? [{ role: value as Role, tenants }] : [];
    const known = Object.hasOwn(roles, value) ? roles[value] : undefined;
    return known ? [{ role: known.role, tenants: known.tenants ?? tenants }] : [];
  });
}

/** The subject as people know it where the issuer says so; the subject itself always. */
const nameOf = ({ sub, oid }: JWTPayload): string => `oidc:${text(oid ?? sub)}`;

const text = (value: unknown): string =>
  typeof value === 'string' ? value.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 100) : '(none)';

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError([
      { variable: 'SIEGEL_AUDIT_ACCESS_FILE', message: `caFile cannot be read: ${(error as Error).message}` },
    ]);
  }
}
