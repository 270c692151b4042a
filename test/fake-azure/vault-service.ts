import { CertificatesApi } from './certificates-api.js';
import { rbacError } from './faults.js';
import type { FakeClock } from './fake-clock.js';
import type { FakeEntra } from './entra.js';
import { KeysApi } from './keys-api.js';
import type { KeyReleaser } from './key-release.js';
import { SecretsApi } from './secrets-api.js';
import { limitClassOf, type ServiceLimits } from './service-limits.js';
import { badParameter, KeyVaultError, type Route } from './wire.js';

export interface VaultServiceOptions {
  readonly name: string;
  /** `vault.azure.net`: the domain of the vault and the resource of its tokens. */
  readonly domain: string;
  /** Tenant that this vault trusts. */
  readonly tenantId: string;
  /** Resource of the challenge; `https://<domain>` in every honest vault. */
  readonly challengeResource: string;
  readonly recoverableDays: number;
  readonly clock: FakeClock;
  readonly releaser: KeyReleaser;
  /** Undefined: nothing is limited. */
  readonly limits: ServiceLimits | undefined;
}

const API_VERSIONS = /^(7\.[0-6](-preview(\.\d)?)?|20\d\d-\d\d-\d\d(-preview)?)$/;

/** One vault: its objects, its authentication and its limits. */
export class VaultService {
  readonly secrets: SecretsApi;
  readonly keys: KeysApi;
  readonly certificates: CertificatesApi;
  private readonly routes: readonly Route[];

  constructor(private readonly options: VaultServiceOptions) {
    const { clock, recoverableDays, releaser, limits, name } = options;
    this.secrets = new SecretsApi(clock, recoverableDays);
    this.keys = new KeysApi(clock, recoverableDays, releaser, (limit) =>
      limits?.count(name, limit, Date.now()),
    );
    this.certificates = new CertificatesApi(clock, recoverableDays, this.secrets, this.keys);
    this.routes = [...this.secrets.routes(), ...this.keys.routes(), ...this.certificates.routes()];
  }

  /** The route of a request, with the captures of its path. @throws KeyVaultError */
  find(method: string, path: string): { route: Route; params: Readonly<Record<string, string>> } {
    const fitting = this.routes
      .map((route) => ({ route, match: route.pattern.exec(path) }))
      .filter(({ match }) => match !== null);
    const found = fitting.find(({ route }) => route.method === method);
    if (found !== undefined) return { route: found.route, params: found.match?.groups ?? {} };
    if (fitting.length > 0)
      throw new KeyVaultError(
        405,
        'MethodNotAllowed',
        `The requested resource does not support http method '${method}'.`,
      );
    throw badParameter(`The request URI contains an invalid name or is not supported: ${path.slice(0, 200)}`);
  }

  /** The challenge of a request without a token, or with one that is not accepted. */
  challenge(message: string): KeyVaultError {
    const { challengeResource, tenantId } = this.options;
    const authority = `https://login.microsoftonline.com/${tenantId}`;
    const header = `Bearer authorization="${authority}", resource="${challengeResource}"`;
    return new KeyVaultError(401, 'Unauthorized', message, undefined, { 'www-authenticate': header });
  }

  /** A challenge for continuous access evaluation: the token is good, but Entra must issue a newer one. */
  caeChallenge(): KeyVaultError {
    const { tenantId } = this.options;
    const claims = JSON.stringify({
      access_token: { nbf: { essential: true, value: String(Math.floor(Date.now() / 1000)) } },
    });
    const header = [
      'Bearer realm=""',
      `authorization_uri="https://login.microsoftonline.com/${tenantId}/oauth2/authorize"`,
      'error="insufficient_claims"',
      `claims="${Buffer.from(claims).toString('base64')}"`,
    ].join(', ');
    return new KeyVaultError(401, 'Unauthorized', 'AKV10037: Token revoked.', undefined, {
      'www-authenticate': header,
    });
  }

  /** @throws KeyVaultError 401, 403 */
  authorize(
    authorization: string | undefined,
    action: string,
    entra: FakeEntra,
  ): { claims: Record<string, unknown>; clientId: string } {
    const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw this.challenge('AKV10000: Request is missing a Bearer or PoP token.');
    const caller = entra.authenticated(token);
    if (caller === undefined)
      throw this.challenge('AKV10046: Unable to resolve the key used for signature validation.');
    const { domain, tenantId, name } = this.options;
    const { aud, iss } = caller.claims;
    if (aud !== `https://${domain}`) {
      throw this.challenge(`AKV10022: Invalid audience. Expected https://${domain}, found: ${aud}.`);
    }
    const expected = `https://sts.windows.net/${tenantId}/`;
    if (iss !== expected)
      throw this.challenge(`AKV10032: Invalid issuer. Expected one of ${expected}, found ${iss}.`);
    if (!permits(caller.principal.permissions, action)) throw rbacError(name, action);
    return { claims: caller.claims, clientId: caller.principal.clientId };
  }

  checkApiVersion(query: URLSearchParams): void {
    const version = query.get('api-version');
    if (version === null) throw badParameter('api-version must be specified');
    if (!API_VERSIONS.test(version))
      throw badParameter(
        `The specified version (${version.slice(0, 40)}) is not recognized. Consider using the latest supported version (2025-07-01).`,
      );
  }

  /** Key operations and key creations are counted where the key is known. @throws KeyVaultError 429 */
  countRequest(action: string): void {
    if (/^keys\/(create|rotate|release|sign|verify|encrypt|decrypt|wrapkey|unwrapkey)$/.test(action)) return;
    this.options.limits?.count(this.options.name, limitClassOf(action), Date.now());
  }
}

const permits = (permissions: readonly string[], action: string): boolean =>
  permissions.some(
    (permission) => permission === '*' || permission === action || permission === `${action.split('/')[0]}/*`,
  );
